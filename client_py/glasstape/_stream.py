"""The synchronous stream: iterates events and resumes after failures."""

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape import _fork
from glasstape._convert.batches import BatchResponse, StreamResponse
from glasstape._outage import OutageLog
from glasstape._resume import FOLLOW, StreamState, ended, inherited, read_twice, silent
from glasstape._transport import Transport
from glasstape.errors import GlasstapeError, PreconditionError
from glasstape.types.signals import Event, EventBatch, StreamMessage
from glasstape.v1 import signals_pb2 as spb


class SignalStream:
    """Iterates events and resumes after failures. One thread reads, once; any thread may `close`.

    It ends when it or its client is closed. It keeps its client, which need not be kept beside it.
    """

    def __init__(
        self,
        connection: Transport,
        state: StreamState,
        on_notice: Callable[[StreamMessage], None] | None,
    ) -> None:
        connection.check_open()
        self._connection = connection
        self._state = state
        self._on_notice = on_notice
        self._call: Any = None
        self._closed = threading.Event()
        self._started = self._silent = self._interrupted = self._inherited = False
        self._waiting_since: float | None = None
        connection.add(self)
        _fork.track(self)

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
        """Iterate the events. Without `on_notice`, outages are logged by the logger `glasstape`.

        Raises:
            PreconditionError: the stream was read before.
            GlasstapeError: retrying does not help.
        """
        return self._events(self.messages())

    def messages(self) -> Iterator[StreamMessage]:
        """Iterate every message of the stream until `close`.

        Raises:
            PreconditionError: the stream was read before.
            GlasstapeError: retrying does not help, for example after a malformed filter.
        """
        if self._inherited:
            raise inherited()
        if self._started:
            raise read_twice()
        self._started = True
        return self._messages()

    def close(self) -> None:
        """End the stream."""
        self._closed.set()
        self._cancel()

    def interrupt(self) -> None:
        """End a read that is pending in another thread, before a fork; it resumes after it."""
        if self._waiting_since is not None:
            self._interrupted = True
            self._cancel()

    def fork_obstacle(self) -> str:
        """Return why gRPC will not work in a process forked now; empty: it will."""
        return "while another thread read a stream" if self._waiting_since is not None else ""

    def abandon(self) -> list[Any]:
        """Forget the call of the process that this one was forked from, and return it."""
        call, self._call = self._call, None
        self._inherited, self._closed = True, threading.Event()
        return [] if call is None else [call]

    def _events(self, messages: Iterator[StreamMessage]) -> Iterator[Event]:
        outages = OutageLog(str(self._connection.settings.address))
        for message in messages:
            if self._on_notice is None:
                outages.note(message)
            if isinstance(message, EventBatch):
                yield from message.events
            elif self._on_notice is not None:
                self._on_notice(message)

    def _messages(self) -> Iterator[StreamMessage]:
        watchdog = threading.Thread(target=self._watch, name="glasstape-watchdog", daemon=True)
        watchdog.start()
        try:
            while not self._closed.is_set():
                self._state.opening()
                try:
                    yield from self._receive()
                    if self._closed.is_set():
                        return
                    notice: StreamMessage | None = self._state.over()
                except PreconditionError:
                    if self._connection.closed:
                        return
                    raise
                except grpc.RpcError as error:
                    if self._closed.is_set():
                        return
                    if self._interrupted:
                        continue
                    notice = self._state.failed(self._failure(error))
                if notice is not None:
                    yield notice
                self._closed.wait(self._state.delay)
        finally:
            self.close()

    def _failure(self, error: grpc.RpcError) -> GlasstapeError:
        if self._silent:
            return silent()
        failure = ended(error, self._connection.failure(error))
        if self._connection.needs_diagnosis(failure):
            failure = self._connection.diagnosed(failure)
        return failure

    def _receive(self) -> Iterator[StreamMessage]:
        if self._inherited:
            raise inherited()
        _fork.wait()
        self._silent = self._interrupted = False
        call = self._connection.stream(FOLLOW[0], StreamResponse, self._state.request())
        self._call = call
        del call  # the frame must not own what a forked process has to forget
        if self._closed.is_set():
            self._cancel()
        try:
            while (response := self._next()) is not None:
                self._connection.answered()
                message = self._state.accept(response)
                if message is not None:
                    yield message
                self._state.handled()
        finally:
            self._cancel()

    def _next(self) -> spb.SignalsResponse | BatchResponse | None:
        if self._inherited:
            raise inherited()
        self._waiting_since = time.monotonic()
        try:
            return next(self._call, None)
        finally:
            self._waiting_since = None

    def _cancel(self) -> None:
        call = self._call
        if call is not None:
            call.cancel()

    def _watch(self) -> None:
        """Cancel a connection that is silent for too long: a dead peer does not close it."""
        silence = self._state.silence
        while not self._closed.wait(min(silence / 4, threading.TIMEOUT_MAX)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > silence and self._call is not None:
                self._silent = True
                self._cancel()
