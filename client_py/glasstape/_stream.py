"""The synchronous stream: iterates events and resumes after failures."""

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape._resume import StreamState, broken, silent
from glasstape.types.signals import Event, EventBatch, StreamMessage
from glasstape.v1 import signals_pb2 as spb


class SignalStream:
    """Iterates events and resumes after failures. One thread reads; any thread may `close`."""

    def __init__(
        self,
        method: Callable[[Any], Any],
        state: StreamState,
        on_notice: Callable[[StreamMessage], None] | None,
    ) -> None:
        self._method = method
        self._state = state
        self._on_notice = on_notice
        self._call: Any = None
        self._closed = threading.Event()
        self._silent = False
        self._waiting_since: float | None = None

    @property
    def resume_token(self) -> bytes:
        """Return the position after the last batch whose events were all taken.

        Store it with the results of the events, and pass it to `signals` to continue after them. A batch that was
        taken in part is delivered again.
        """
        return self._state.resume_token

    @property
    def through_sequence(self) -> int:
        """Return the sequence up to which every matching event was delivered, conflated or declared lost."""
        return self._state.through_sequence

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        for message in self.messages():
            if isinstance(message, EventBatch):
                yield from message.events
            elif self._on_notice is not None:
                self._on_notice(message)

    def messages(self) -> Iterator[StreamMessage]:
        """Yield every message of the stream until `close`.

        Raises:
            GlasstapeError: retrying does not help, for example after a malformed filter.
        """
        watchdog = threading.Thread(target=self._watch, name="glasstape-watchdog", daemon=True)
        watchdog.start()
        try:
            while not self._closed.is_set():
                self._state.delay = 0.0
                try:
                    yield from self._connection()
                except grpc.RpcError as error:
                    if self._closed.is_set():
                        return
                    yield self._state.failed(silent() if self._silent else broken(error))
                self._closed.wait(self._state.delay)
        finally:
            self.close()

    def close(self) -> None:
        """End the stream."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    def _connection(self) -> Iterator[StreamMessage]:
        self._silent = False
        self._call = self._method(self._state.request())
        if self._closed.is_set():
            self._call.cancel()
        try:
            while (response := self._next()) is not None:
                message = self._state.accept(response)
                if message is not None:
                    yield message
                self._state.handled()
        finally:
            self._call.cancel()

    def _next(self) -> spb.SignalsResponse | None:
        self._waiting_since = time.monotonic()
        try:
            return next(self._call, None)
        finally:
            self._waiting_since = None

    def _watch(self) -> None:
        """Cancel a connection that is silent for too long: a dead peer does not close it."""
        silence = self._state.silence
        while not self._closed.wait(silence / 4):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > silence and self._call is not None:
                self._silent = True
                self._call.cancel()
