"""Checks of sequences, truth values, times and tokens that callers pass; `_scalars` has those of numbers and texts.

Protobuf would take some of them silently: None as an absent field, a text as a sequence of letters.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np

from glasstape._scalars import integer, shown, text
from glasstape.errors import InvalidRequestError


def integers(values: Any, field: str) -> list[int]:
    """Return a sequence of integers of 0 or more.

    Raises:
        InvalidRequestError: it is something else.
    """
    return [
        integer(value, f"{field}[{number}]") for number, value in enumerate(items(values, field, "integers"))
    ]


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
        raise InvalidRequestError.field(field, f"must be a sequence of {kind}, is the text {shown(values)}")
    if not isinstance(values, Iterable):
        raise InvalidRequestError.field(field, f"must be a sequence of {kind}, is {shown(values)}")
    try:
        return list(values)
    except TypeError:  # an array without dimensions
        raise InvalidRequestError.field(field, f"must be a sequence of {kind}, is {shown(values)}") from None


def instances(values: Any, kind: type, field: str) -> list[Any]:
    """Return a sequence of values of a class.

    Raises:
        InvalidRequestError: it is something else.
    """
    name = kind.__name__
    entries = items(values, field, name)
    for position, value in enumerate(entries):
        if not isinstance(value, kind):
            raise InvalidRequestError.field(f"{field}[{position}]", f"must be a {name}, is {shown(value)}")
    return entries


def flag(value: Any, field: str) -> bool:
    """Return a truth value.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not isinstance(value, bool | np.bool_):
        raise InvalidRequestError.field(field, f"must be True or False, is {shown(value)}")
    return bool(value)


def moment(value: Any, field: str) -> datetime:
    """Return a time with a time zone.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not isinstance(value, datetime):
        raise InvalidRequestError.field(field, f"must be a datetime with a time zone, is {shown(value)}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidRequestError.field(field, f"must have a time zone, is {value.isoformat()}")
    return value


def token_bytes(value: Any, field: str) -> bytes:
    """Return a resume token.

    Raises:
        InvalidRequestError: it is no bytes.
    """
    if not isinstance(value, bytes):
        raise InvalidRequestError.field(field, f"must be bytes, is {shown(value)}")
    return value
