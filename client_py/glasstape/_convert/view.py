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

    Its instances hold their message in `_message` until a field of `decoded` is read: then they take all fields and
    let go of the message, which would keep its whole batch in memory. Fields that are named nowhere are set in their
    slots.

    Args:
        kind: the dataclass.
        reads: how fields are read from the message.
        decoded: how fields are decoded that are large.
    """
    fields = dataclasses.fields(cast(Any, kind))
    names = [field.name for field in fields if field.init]
    slots = {name: getattr(kind, name) for name in (*reads, *decoded)}
    checked = {name: _checked(name, read) for name, read in {**reads, **decoded}.items()}

    def new(cls: type, **values: Any) -> Any:  # `replace` and `copy` make plain values
        return kind(**values)

    def plain(self: Any) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def equal(self: Any, other: object) -> bool:
        return isinstance(other, kind) and all(getattr(self, name) == getattr(other, name) for name in names)

    def take(self: Any, message: Any) -> None:
        for name, slot in slots.items():
            slot.__set__(self, checked[name](message))
        set_message(self, None)

    def reading(name: str) -> property:
        def read(self: Any) -> Any:
            message = self._message
            return slots[name].__get__(self) if message is None else checked[name](message)

        return property(read)

    def decoding(name: str) -> property:
        def read(self: Any) -> Any:
            message = self._message
            if message is not None:
                take(self, message)
            return slots[name].__get__(self)

        return property(read)

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
        **{name: reading(name) for name in reads},
        **{name: decoding(name) for name in decoded},
    }
    metaclass: Any = type(kind)
    view = metaclass(kind.__name__, (kind,), space)
    (set_message,) = setters(view)
    return cast(type[T], view)


def setters(view: type, *names: str) -> tuple[Callable[[Any, Any], None], ...]:
    """Return what sets slots of a frozen instance: its message, and the named fields."""
    return tuple(getattr(view, name).__set__ for name in ("_message", *names))


def _checked(name: str, read: Read) -> Read:
    def checked(message: Any) -> Any:
        try:
            return read(message)
        except NOT_ALLOWED as error:
            raise not_allowed(f"{name} of an event", error) from None

    return checked


def _made(kind: type[T], values: dict[str, Any]) -> T:
    return kind(**values)
