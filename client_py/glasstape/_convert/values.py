"""Checks of values that callers pass, by field: an error names the field, the rule and the value.

Protobuf would take some of them silently: None as an absent field, a text as a sequence of letters.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glasstape.errors import InvalidRequestError

MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1


def number(value: Any, field: str) -> float:
    """Return a finite number as a float.

    Raises:
        InvalidRequestError: it is something else: None, NaN, infinite, masked, complex, a text or a truth value.
    """
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, int | float | Decimal | np.integer | np.floating) and not isinstance(value, bool):
        try:
            converted = float(value)
        except (OverflowError, ValueError):
            converted = math.inf
        if math.isfinite(converted):
            return converted
        raise InvalidRequestError.field(field, f"must be a finite number, is {_shown(value)}")
    raise InvalidRequestError.field(field, f"must be a number, is {_shown(value)}")


def integer(value: Any, field: str, most: int = MAX_UINT64) -> int:
    """Return an integer of 0 or more.

    Raises:
        InvalidRequestError: it is something else, or above `most`.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InvalidRequestError.field(field, f"must be an integer, is {_shown(value)}")
    if not 0 <= value <= most:
        raise InvalidRequestError.field(field, f"must be 0 or more and at most {most}, is {_shown(value)}")
    return int(value)


def integers(values: Any, field: str) -> list[int]:
    """Return a sequence of integers of 0 or more.

    Raises:
        InvalidRequestError: it is something else.
    """
    return [
        integer(value, f"{field}[{number}]") for number, value in enumerate(items(values, field, "integers"))
    ]


def text(value: Any, field: str) -> str:
    """Return a text.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not isinstance(value, str):
        raise InvalidRequestError.field(field, f"must be a text, is {_shown(value)}")
    return value


def texts(values: Any, field: str, kind: str = "texts") -> list[str]:
    """Return a sequence of texts.

    Raises:
        InvalidRequestError: it is something else, also a single text, which is a sequence of letters.
    """
    return [text(value, f"{field}[{number}]") for number, value in enumerate(items(values, field, kind))]


def items(values: Any, field: str, kind: str) -> list[Any]:
    """Return the items of a sequence.

    Raises:
        InvalidRequestError: it is none, or a single text.
    """
    if isinstance(values, str | bytes):
        raise InvalidRequestError.field(field, f"must be a sequence of {kind}, is the text {values!r}")
    if not isinstance(values, Iterable):
        raise InvalidRequestError.field(field, f"must be a sequence of {kind}, is {_shown(values)}")
    return list(values)


def instances(values: Any, kind: type, field: str) -> list[Any]:
    """Return a sequence of values of a class.

    Raises:
        InvalidRequestError: it is something else.
    """
    name = kind.__name__
    entries = items(values, field, name)
    for position, value in enumerate(entries):
        if not isinstance(value, kind):
            raise InvalidRequestError.field(f"{field}[{position}]", f"must be a {name}, is {_shown(value)}")
    return entries


def flag(value: Any, field: str) -> bool:
    """Return a truth value.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not isinstance(value, bool | np.bool_):
        raise InvalidRequestError.field(field, f"must be True or False, is {_shown(value)}")
    return bool(value)


def moment(value: Any, field: str) -> datetime:
    """Return a time with a time zone.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not isinstance(value, datetime):
        raise InvalidRequestError.field(field, f"must be a datetime with a time zone, is {_shown(value)}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidRequestError.field(field, f"must have a time zone, is {value.isoformat()}")
    return value


def duration(value: Any, field: str) -> timedelta:
    """Return a duration from itself or from seconds.

    Raises:
        InvalidRequestError: it is something else, or too long.
    """
    if isinstance(value, timedelta):
        return value
    seconds = number(value, field)
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidRequestError.field(
            field, f"must be a number of seconds below 1e14, is {seconds:g}"
        ) from None


def token_bytes(value: Any, field: str) -> bytes:
    """Return a resume token.

    Raises:
        InvalidRequestError: it is no bytes.
    """
    if not isinstance(value, bytes):
        raise InvalidRequestError.field(field, f"must be bytes, is {_shown(value)}")
    return value


def float32_array(values: ArrayLike, field: str) -> NDArray[np.float32]:
    """Return an array in little-endian float32. NaN stays, it fails its item.

    Raises:
        InvalidRequestError: it is no array of real numbers, has masked cells, or a number that float32 cannot hold.
    """
    if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        raise InvalidRequestError.field(field, "must not have masked cells; fill them first")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError.field(field, f"must be an array of real numbers: {error}") from None
    if array.dtype.kind not in "fiu":
        raise InvalidRequestError.field(field, f"must be an array of real numbers, has dtype {array.dtype}")
    with np.errstate(over="ignore"):
        narrow = array.astype("<f4")
    lost = np.isinf(narrow) & np.isfinite(array)
    if lost.any():
        place = tuple(int(index) for index in np.argwhere(lost)[0])
        path = ",".join(map(str, place))
        raise InvalidRequestError.field(f"{field}[{path}]", f"must fit float32, is {array[place]:g}")
    return narrow


def _shown(value: Any) -> str:
    """Return a value as an error shows it, shortened."""
    plain = value is None or type(value) in (str, int, float, bool)
    shown = repr(value) if plain else f"{value!r} ({type(value).__name__})"
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
