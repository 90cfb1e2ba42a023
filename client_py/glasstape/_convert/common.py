"""Times, enums and received errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2

from glasstape._convert.values import moment as checked_moment
from glasstape._scalars import seconds_within, shown
from glasstape.errors import (
    DataLossError,
    ErrorReason,
    GlasstapeError,
    InvalidRequestError,
    Violation,
    error_of,
)
from glasstape.v1 import errors_pb2 as pb

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOT_ALLOWED = (LookupError, OverflowError, ValueError)
"""What conversions raise of values that the contract does not allow."""

E = TypeVar("E", bound=StrEnum)


@contextmanager
def checking(source: str) -> Iterator[None]:
    """Turn what a conversion raises into a DataLossError that names `source`.

    Raises:
        DataLossError: the block met values that the contract does not allow.
    """
    try:
        yield
    except NOT_ALLOWED as error:
        raise not_allowed(source, error) from None


def not_allowed(source: str, error: Exception) -> DataLossError:
    """Return the error of a conversion that raised one of `NOT_ALLOWED`."""
    return DataLossError(f"{source} holds values that the contract does not allow: {error!r}")


def time_to(moment: datetime, field: str) -> Timestamp:
    """Return the message of a time.

    Raises:
        InvalidRequestError: it is no datetime with a time zone.
    """
    elapsed = checked_moment(moment, field) - _EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return Timestamp(seconds=seconds, nanos=elapsed.microseconds * 1000)


def time_from(time: Timestamp) -> datetime:
    """Return an aware datetime in UTC, to the microsecond."""
    return _moment(time.seconds, time.nanos)


@lru_cache(maxsize=4096)
def _moment(seconds: int, nanos: int) -> datetime:
    # Cached: the bars of a market close together, so that the same few times are converted many times.
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)


def delta_to(delta: timedelta | float, field: str, least: float, most: float) -> Duration:
    """Return the message of a timedelta or of seconds, of a range in seconds.

    Raises:
        InvalidRequestError: it is no duration, or outside the range.
    """
    message = Duration()
    message.FromTimedelta(seconds_within(delta, field, least, most))
    return message


def delta_from(duration: Duration) -> timedelta:
    """Return a timedelta, to the microsecond."""
    return timedelta(seconds=duration.seconds, microseconds=duration.nanos // 1000)


def member(enum: type[E], value: E | str, field: str) -> E:
    """Return an enum member from itself or its text.

    Raises:
        InvalidRequestError: no such member; the message lists the members.
    """
    try:
        return enum(value.lower())
    except (ValueError, AttributeError):
        known = ", ".join(item.value for item in enum if item.name != "UNSPECIFIED")
        raise InvalidRequestError.field(field, f"must be one of {known}, is {shown(value)}") from None


def enum_to(wire: Any, value: StrEnum | None) -> Any:
    """Return the number of a member in the generated enum `wire`; 0 for None."""
    return 0 if value is None else _number(wire, value.name)


@cache
def enum_from(wire: Any, enum: type[E], number: int) -> E:
    """Return the member of a number of `wire`; UNSPECIFIED for a number of a newer contract."""
    try:
        return enum[wire.Name(number).removeprefix(_prefix(wire))]
    except (KeyError, ValueError):
        return enum["UNSPECIFIED"]


def member_to(wire: Any, enum: type[E], value: E | str, field: str) -> Any:
    """Return the number of a member in `wire` from the member or its text.

    Raises:
        InvalidRequestError: no such member.
    """
    return _number(wire, member(enum, value, field).name)


@cache
def _number(wire: Any, name: str) -> Any:
    return wire.Value(_prefix(wire) + name)


@cache
def _prefix(wire: Any) -> str:
    """Return what precedes a member's name on the wire: "ENTRY_PRICE_" for the enum EntryPrice."""
    name = wire.DESCRIPTOR.name
    return "".join(f"_{c}" if c.isupper() else c for c in name).upper().removeprefix("_") + "_"


def error_from(problem: pb.Problem) -> GlasstapeError:
    """Return the error of an item."""
    code = code_pb2.Code.Name(problem.code) if problem.code in code_pb2.Code.values() else "UNKNOWN"
    return error_of(
        code,
        problem.message,
        reason=_reason_from(problem.reason),
        violations=tuple(Violation(item.field, item.description) for item in problem.violations),
        metadata=dict(problem.metadata),
    )


@cache
def _reason_from(number: int) -> str:
    """Return a reason's text; its number as text if it is newer than these stubs."""
    name = {value: name for name, value in pb.ErrorReason.items()}.get(pb.ErrorReason.ValueType(number))
    if name is None:
        return str(number)
    return "" if number == 0 else name.removeprefix("ERROR_REASON_")


def problem_to(error: GlasstapeError) -> pb.Problem:
    """Return the message of an item's error."""
    known = isinstance(error.reason, ErrorReason)
    name = f"ERROR_REASON_{error.reason if known else 'UNSPECIFIED'}"
    return pb.Problem(
        code=code_pb2.Code.Value(error.code),
        reason=pb.ErrorReason.Value(name),
        message=error.message,
        metadata=error.metadata,
        violations=[pb.FieldViolation(field=v.field, description=v.rule) for v in error.violations],
    )
