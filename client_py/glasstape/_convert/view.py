"""Values that are decoded from their message when they are read: most of a busy feed is replaced unread."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from glasstape._convert.common import NOT_ALLOWED, not_allowed

T = TypeVar("T")
Read = Callable[[Any], Any]
"""Returns a field from the message."""


def view_of(kind: type[T], reads: Mapping[str, Read], decoded: Mapping[str, Read]) -> type[T]:
    """Return a class of values that equal those of a frozen dataclass with slots.

    Its instances hold their message in `_message`. Fields that are named nowhere are set in their slots.

    Args:
        kind: the dataclass.
        reads: how fields are read from the message, each time.
        decoded: how fields are decoded when they are first read, and then kept.
    """
    fields = dataclasses.fields(cast(Any, kind))
    names = [field.name for field in fields if field.init]

    def new(cls: type, **values: Any) -> Any:  # `replace` and `copy` make plain values
        return kind(**values)

    def plain(self: Any) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def equal(self: Any, other: object) -> bool:
        return isinstance(other, kind) and all(getattr(self, name) == getattr(other, name) for name in names)

    space: dict[str, Any] = {
        "__slots__": ("_message",),
        "__doc__": kind.__doc__,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__new__": new,
        "__eq__": equal,
        "__hash__": lambda self: hash(kind(**plain(self))),
        "__reduce__": lambda self: (_made, (kind, plain(self))),
        **{field.name: field.default for field in fields if not field.init},
        **{name: property(_checked(name, read)) for name, read in reads.items()},
        **{
            name: property(_kept(getattr(kind, name), _checked(name, read))) for name, read in decoded.items()
        },
    }
    metaclass: Any = type(kind)
    return cast(type[T], metaclass(kind.__name__, (kind,), space))


def setters(view: type, *names: str) -> tuple[Callable[[Any, Any], None], ...]:
    """Return what sets slots of a frozen instance: its message, and the named fields."""
    return tuple(getattr(view, name).__set__ for name in ("_message", *names))


def _checked(name: str, read: Read) -> Read:
    def checked(self: Any) -> Any:
        try:
            return read(self._message)
        except NOT_ALLOWED as error:
            raise not_allowed(f"{name} of an event", error) from None

    return checked


def _kept(slot: Any, read: Read) -> Read:
    """Return what reads a field from its slot, where the first read puts it."""

    def kept(self: Any) -> Any:
        try:
            return slot.__get__(self)
        except AttributeError:
            value = read(self)
            slot.__set__(self, value)
            return value

    return kept


def _made(kind: type[T], values: dict[str, Any]) -> T:
    return kind(**values)
