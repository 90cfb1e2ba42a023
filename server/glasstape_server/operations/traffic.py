"""Who counts calls, and the id by which one is found in the log."""

import contextvars
import re
import secrets
from collections.abc import Sequence
from typing import Protocol

REQUEST_ID = "x-request-id"
"""Metadata with which a caller names his call; without it the server does."""
_GIVEN = re.compile(r"[A-Za-z0-9._:-]{1,64}")

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Of the running call."""


class Traffic(Protocol):
    """Counts calls. Called on any thread."""

    def started(self, method: str, count: int = 1) -> None:
        """Calls of a method, by its path, came in."""
        ...

    def failed(self, method: str, code: str) -> None:
        """A call ended with a status other than OK; a stream that its reader ends has not failed."""
        ...

    def ended(self, method: str, seconds: Sequence[float]) -> None:
        """Calls of a method that has one answer, and that were taken up, ended after so many seconds each."""
        ...


class Uncounted:
    """Nobody counts."""

    def started(self, method: str, count: int = 1) -> None:
        """See `Traffic.started`."""

    def failed(self, method: str, code: str) -> None:
        """See `Traffic.failed`."""

    def ended(self, method: str, seconds: Sequence[float]) -> None:
        """See `Traffic.ended`."""


def id_of(given: str) -> str:
    """The id of a call: what its caller gave if that is one, else a new one."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
