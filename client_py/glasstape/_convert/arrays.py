"""Windows that callers pass as arrays, or as anything that numpy reads as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glasstape.errors import InvalidRequestError
from glasstape.v1 import inference_pb2 as pb

_PLAIN = frozenset({int, float, bool, np.float64, np.float32, np.int64, np.int32})
"""Types of cells that cannot be masked."""
_DEPTH = 4
"""Levels of nested sequences that are searched for masks: windows have three."""
_REAL = "must be an array of real numbers"


def windows_to(windows: ArrayLike, field: str = "windows") -> pb.Windows:
    """Return the message of windows (n, time, feature), or of one (time, feature), with their shape.

    Raises:
        InvalidRequestError: another number of dimensions, no real numbers, masked cells, or numbers that float32 cannot
            hold.
    """
    array = float32_array(windows, field)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise InvalidRequestError.field(
            field, f"must have shape (time, feature) or (n, time, feature), has {array.shape}"
        )
    count, time, features = array.shape
    return pb.Windows(count=count, data=array.tobytes(), shape=pb.Heatmap.Shape(time=time, features=features))


def float32_array(values: ArrayLike, field: str) -> NDArray[np.float32]:
    """Return an array in little-endian float32. NaN stays, it fails its item.

    Raises:
        InvalidRequestError: it is no array of real numbers, has masked cells, or a number that float32 cannot hold.
    """
    array = _array(values, field)
    if array.dtype.kind not in "fiu":
        raise InvalidRequestError.field(field, f"{_REAL}, has dtype {array.dtype}")
    with np.errstate(over="ignore"):
        narrow = array.astype("<f4")
    lost = np.isinf(narrow) & np.isfinite(array)
    if lost.any():
        place = tuple(int(index) for index in np.argwhere(lost)[0])
        path = ",".join(map(str, place))
        raise InvalidRequestError.field(f"{field}[{path}]", f"must fit float32, is {array[place]:g}")
    return narrow


def _array(values: Any, field: str) -> NDArray[Any]:
    """Return values as an array, if none is masked: numpy drops masks inside lists and shows what they hide."""
    if _has_masked_cells(values):
        raise InvalidRequestError.field(field, "must not have masked cells; fill them first")
    try:
        array = np.asanyarray(values)
    except Exception as error:  # conversions of other libraries raise their own
        raise InvalidRequestError.field(field, f"{_REAL}: {error}") from error
    if array is not values and _has_masked_cells(array):
        raise InvalidRequestError.field(field, "must not have masked cells; fill them first")
    return np.asarray(array)


def _has_masked_cells(values: Any, depth: int = _DEPTH) -> bool:
    """Return whether an array, or any array or cell in sequences nested up to `depth`, is masked."""
    if isinstance(values, np.ma.MaskedArray):
        return bool(np.ma.is_masked(values))
    if isinstance(values, np.ndarray):
        return values.dtype.kind == "O" and any(_has_masked_cells(cell, depth - 1) for cell in values.flat)
    if not depth or not isinstance(values, Sequence) or isinstance(values, str | bytes):
        return False
    return not _PLAIN.issuperset(map(type, values)) and any(
        _has_masked_cells(part, depth - 1) for part in values
    )
