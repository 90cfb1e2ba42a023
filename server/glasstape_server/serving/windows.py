"""Ready windows: the windows that a request carries. Checks their framing and values."""

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_FEATURE
from glasstape_server.models.model import Model
from glasstape_server.serving.items import Item, check_count
from glasstape_server.serving.requests import Windows


def window_items(windows: Windows, model: Model) -> list[Item]:
    """Return an item for each window; a window with a bad cell gets an error.

    Raises:
        InvalidArgument: no window, too many, another shape, or a wrong number of bytes.
    """
    check_framing(windows, model)
    values = _array(windows, model)
    items = [Item(model=model, window=window) for window in values]
    for row in np.flatnonzero(~valid_rows(values)):
        items[row].error = bad_cell(int(row), values[row], model)
    return items


def valid_rows(windows: Float32s) -> NDArray[np.bool_]:
    """Return which windows, (count, time, feature), are finite and in range in every cell, (count,)."""
    return np.asarray((np.abs(windows) <= MAX_FEATURE).all(axis=(1, 2)))  # NaN compares false


def check_framing(windows: Windows, model: Model) -> None:
    """Check the number of windows, their stated shape and the number of their bytes.

    Raises:
        InvalidArgument: no window, too many, another shape, or a wrong number of bytes.
    """
    check_count("input.windows.count", windows.count)
    _check_shape(windows, model, "input.windows")


def reference_windows(windows: Windows, model: Model, path: str, most: int) -> Float32s:
    """Return baseline or background windows, (count, time, feature): all must be valid.

    Raises:
        InvalidArgument: none or more than `most`, another shape, a wrong number of bytes, or a bad cell.
    """
    if not 1 <= windows.count <= most:
        raise InvalidArgument.field(f"{path}.count", f"must be 1-{most}, is {windows.count}")
    _check_shape(windows, model, path)
    values = _array(windows, model)
    invalid = np.flatnonzero(~valid_rows(values))
    if len(invalid):
        raise bad_cell(int(invalid[0]), values[invalid[0]], model, path)
    return values


def bad_cell(row: int, window: Float32s, model: Model, path: str = "input.windows") -> InvalidArgument:
    """Return the error that names the first bad cell of a window."""
    time, feature = (int(index[0]) for index in (~(np.abs(window) <= MAX_FEATURE)).nonzero())
    name = model.spec.names[feature]
    return InvalidArgument.field(
        f"{path}.data",
        f"must be finite and within +-{MAX_FEATURE:g}, is {window[time, feature]} in window {row}, "
        f"time {time}, feature {name}",
        "WINDOW_INVALID",
    )


def _array(windows: Windows, model: Model) -> Float32s:
    return np.frombuffer(windows.data, dtype="<f4").reshape(windows.count, *model.window_shape)


def _check_shape(windows: Windows, model: Model, path: str) -> None:
    """Check the stated shape, and that there are as many bytes as `count` windows of the model have."""
    steps, width = model.window_shape
    if windows.shape is not None and windows.shape != (steps, width):
        rule = f"must be ({steps}, {width}), time x features of {model.ref.name}, is {windows.shape}"
        raise InvalidArgument.field(f"{path}.shape", rule)
    expected, size = windows.count * steps * width * 4, len(windows.data)
    if size != expected:
        raise InvalidArgument.field(
            f"{path}.data", f"{size} bytes, expected count x {steps} x {width} x 4 = {expected}"
        )
