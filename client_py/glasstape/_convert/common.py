"""Times and enums."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from glasstape.errors import InvalidRequestError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

E = TypeVar("E", bound=StrEnum)


def time_to(moment: datetime, field: str) -> Timestamp:
    """A wire time.

    Raises:
        InvalidRequestError: the datetime carries no time zone.
    """
    if moment.tzinfo is None:
        raise InvalidRequestError.field(field, f"must carry a time zone, is {moment.isoformat()}")
    elapsed = moment - _EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return Timestamp(seconds=seconds, nanos=elapsed.microseconds * 1000)


def time_from(time: Timestamp) -> datetime:
    """An aware datetime in UTC."""
    return _moment(time.seconds, time.nanos)


@lru_cache(maxsize=4096)
def _moment(seconds: int, nanos: int) -> datetime:
    """A market closes its bars together: few moments are asked for many times."""
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)


def delta_to(delta: timedelta | float) -> Duration:
    """A wire duration from a timedelta or seconds."""
    duration = Duration()
    duration.FromTimedelta(delta if isinstance(delta, timedelta) else timedelta(seconds=delta))
    return duration


def delta_from(duration: Duration) -> timedelta:
    """A timedelta."""
    return timedelta(seconds=duration.seconds, microseconds=duration.nanos // 1000)


def member(enum: type[E], value: E | str, field: str) -> E:
    """An enum member from itself or its text.

    Raises:
        InvalidRequestError: no such member; the message lists them.
    """
    try:
        return enum(value.lower())
    except (ValueError, AttributeError):
        known = ", ".join(item.value for item in enum if item.name != "UNSPECIFIED")
        raise InvalidRequestError.field(field, f"must be one of {known}, is {value!r}") from None


def enum_to(wire: Any, prefix: str, value: StrEnum | None) -> Any:
    """The wire number of a member of the generated enum `wire`; 0 for None."""
    return 0 if value is None else _number(wire, prefix, value.name)


@cache
def enum_from(wire: Any, prefix: str, enum: type[E], number: int) -> E:
    """The member of a wire number; UNSPECIFIED for numbers of a newer contract."""
    try:
        return enum[wire.Name(number).removeprefix(prefix)]
    except (KeyError, ValueError):
        return enum["UNSPECIFIED"]


@cache
def _number(wire: Any, prefix: str, name: str) -> Any:
    return wire.Value(prefix + name)
