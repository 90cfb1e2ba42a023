"""Requests that carry ready windows. One that differs from an earlier request in its windows alone is not parsed.

Such a request is a head, the bytes of the windows, and a tail. What a parser has read when it reaches the windows,
their length included, depends on the head alone; so requests of one size with equal heads and tails have equal fields,
if the bytes between are those of the windows. They might be an earlier value that a later one replaces: so the request
is parsed again with other bytes in their place before its head and tail are kept.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from google.protobuf.message import Message

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.rpc.call_group import CallTarget
from glasstape_server.serving.requests import ExplainRequest, PredictRequest, Windows

R = TypeVar("R", PredictRequest, ExplainRequest)

MAX_KNOWN_BYTES = 4096
"""Size up to which requests are recognized: beside the windows of larger ones, parsing takes no time."""
MAX_SIZES = 256
"""Sizes of requests that are recognized."""
KNOWN_PER_SIZE = 4
"""Requests of one size that are recognized: those seen last."""


@dataclass(slots=True, eq=False)
class ReadyRequest(Generic[R]):
    """What calls have in common whose requests differ in their windows alone."""

    request: R
    """With empty windows."""
    target: CallTarget | None = None
    """Where its last call went."""

    @property
    def windows(self) -> Windows:
        """The source, without its bytes."""
        assert isinstance(self.request.source, Windows)
        return self.request.source

    def with_data(self, data: bytes) -> R:
        """Return the whole request of one call."""
        return replace(self.request, source=replace(self.windows, data=data))


@dataclass(frozen=True, slots=True)
class _Known(Generic[R]):
    """Ends of a request that was parsed."""

    head: bytes
    tail: bytes
    ready: ReadyRequest[R]


class RequestReader(Generic[R]):
    """Reads encoded requests of one method. To be used by one thread."""

    def __init__(self, parse: "Callable[[bytes], R | Message]") -> None:
        """Know no request.

        Args:
            parse: returns a request, or the message if it carries no ready windows. May raise InvalidArgument.
        """
        self._parse: Callable[[bytes], R | Message] = parse
        self._known: dict[int, deque[_Known[R]]] = {}

    def read(self, payload: bytes) -> "tuple[ReadyRequest[R], bytes] | Message":
        """Return a request and the bytes of its windows; the message if it carries none.

        Raises:
            InvalidArgument: the bytes are no request, or it breaks a rule.
        """
        size = len(payload)
        for known in self._known.get(size, ()):
            if payload.startswith(known.head) and payload.endswith(known.tail):
                return known.ready, payload[len(known.head) : size - len(known.tail)]
        request = self._parse(payload)
        if isinstance(request, Message):
            return request
        ready, data = _split(request)
        if data and size <= MAX_KNOWN_BYTES:
            self._learn(payload, ready, data)
        return ready, data

    def _learn(self, payload: bytes, ready: ReadyRequest[R], data: bytes) -> None:
        """Keep head and tail of a request if the bytes between them are those of its windows."""
        first = payload.find(data)
        head, tail = payload[:first], payload[first + len(data) :]
        others = (np.frombuffer(data, np.uint8) ^ 0x55).tobytes()
        try:
            if self._parse(head + others + tail) != ready.with_data(others):
                return
        except InvalidArgument:
            return
        if len(self._known) >= MAX_SIZES:
            self._known.clear()
        kept = self._known.setdefault(len(payload), deque(maxlen=KNOWN_PER_SIZE))
        kept.appendleft(_Known(head, tail, ready))


def _split(request: R) -> tuple[ReadyRequest[R], bytes]:
    assert isinstance(request.source, Windows)  # `parse` returns the message otherwise
    source = request.source
    return ReadyRequest(replace(request, source=replace(source, data=b""))), source.data
