"""Checks of single values that callers pass: an error names the field, the rule and the value.

Without numpy, so that creating a client does not load it.
"""

import inspect
import math
import operator
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from glasstape.errors import InvalidRequestError

MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1
_SHOWN = 80
"""Characters of a value that an error shows."""
_PRINTED_BITS = 256
"""Largest integer that an error shows in digits."""


def number(value: Any, field: str) -> float:
    """Return a finite number as a float.

    Raises:
        InvalidRequestError: it is something else: None, NaN, infinite, masked, complex, a text or a truth value.
    """
    if type(value) is float and math.isfinite(value):
        return value
    if not _is_real(value):
        raise InvalidRequestError.field(field, f"must be a number, is {shown(value)}")
    converted = _as_float(value)
    if not math.isfinite(converted):
        raise InvalidRequestError.field(field, f"must be a finite number, is {shown(value)}")
    return converted


def number_within(value: Any, field: str, least: float, most: float) -> float:
    """Return a finite number of a range, both ends included.

    Raises:
        InvalidRequestError: it is something else.
    """
    checked = number(value, field)
    if not least <= checked <= most:
        raise InvalidRequestError.field(field, f"must be {least:g}-{most:g}, is {shown(value)}")
    return checked


def integer(value: Any, field: str, most: int = MAX_UINT64) -> int:
    """Return an integer of 0 or more.

    Raises:
        InvalidRequestError: it is something else, or above `most`.
    """
    if not _is_real(value) or not isinstance(value, Integral):
        raise InvalidRequestError.field(field, f"must be an integer, is {shown(value)}")
    plain = operator.index(value)
    if not 0 <= plain <= most:
        raise InvalidRequestError.field(field, f"must be 0 or more and at most {most}, is {shown(value)}")
    return plain


def text(value: Any, field: str) -> str:
    """Return a text.

    Raises:
        InvalidRequestError: it is something else, or has a surrogate, which UTF-8 cannot hold.
    """
    if not isinstance(value, str):
        raise InvalidRequestError.field(field, f"must be a text, is {shown(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            code = ord(value[error.start])
            rule = f"must be Unicode text, has the surrogate U+{code:04X} at position {error.start}"
            raise InvalidRequestError.field(field, rule) from None
    return value


def seconds_within(value: timedelta | float, field: str, least: float, most: float) -> timedelta:
    """Return a duration of a range in seconds, both ends included, from itself or from seconds.

    Raises:
        InvalidRequestError: it is something else.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else number(value, field)
    if not least <= seconds <= most:
        raise InvalidRequestError.field(field, f"must be {least:g}-{most:g} s, is {shown(value)}")
    return timedelta(seconds=seconds)


def positive_seconds(value: timedelta | float, field: str) -> float:
    """Return seconds above 0 from a duration or a number.

    Raises:
        InvalidRequestError: it is something else.
    """
    plain = value.total_seconds() if isinstance(value, timedelta) else value
    seconds = _as_float(plain) if _is_real(plain) else math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise InvalidRequestError.field(
            field, f"must be a finite number of seconds above 0, is {shown(value)}"
        )
    return seconds


def handler(value: Any, field: str) -> Callable[[Any], None] | None:
    """Return a function that is called with one value, or None.

    Raises:
        InvalidRequestError: it is neither, or a coroutine function, whose result would not be awaited.
    """
    if value is not None and not callable(value):
        raise InvalidRequestError.field(field, f"must be a function or None, is {shown(value)}")
    if inspect.iscoroutinefunction(value):
        raise InvalidRequestError.field(field, "must be a function, not a coroutine function")
    checked: Callable[[Any], None] | None = value
    return checked


def file_path(value: Any, field: str) -> Path:
    """Return the path of a file.

    Raises:
        InvalidRequestError: it is no path, or empty.
    """
    try:
        path = Path(value)
    except TypeError:
        raise InvalidRequestError.field(field, f"must be the path of a file, is {shown(value)}") from None
    if not path.name:
        raise InvalidRequestError.field(field, f"must be the path of a file, is {shown(value)}")
    return path


def shown(value: Any) -> str:
    """Return a value as an error shows it: on one line, shortened."""
    if isinstance(value, int) and value.bit_length() > _PRINTED_BITS:  # Python refuses to print the longest
        return f"an integer of {value.bit_length():,} bits"
    plain = value is None or type(value) in (str, int, float, bool)
    text = repr(value) if plain else f"{' '.join(repr(value).split())} ({type(value).__name__})"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _is_real(value: Any) -> bool:
    """Return whether a value is a real number: neither a truth value nor a duration of numpy, which counts as one."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return False
    return getattr(getattr(value, "dtype", None), "kind", "f") in "fiu"


def _as_float(value: Any) -> float:
    """Return a real number as a float; infinite or NaN if it has none, also if its class fails to convert it."""
    try:
        return float(value)
    except Exception:
        return math.inf
