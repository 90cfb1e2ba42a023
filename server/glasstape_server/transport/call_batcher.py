"""Batches of the single calls that grpcio hands over.

grpc.aio starts about one call per turn of the event loop. A batch is passed on when it holds every open call, so that
a single call does not wait, or when several turns in a row brought no more, which takes microseconds.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.rpc.batched_inference import BatchMethod
from glasstape_server.rpc.calls import Answer, PendingCall
from glasstape_server.rpc.handlers import check_size

QUIET_TURNS = 20
"""Turns of the event loop without a new call after which a batch is passed on."""
MAX_BATCH = 64
"""Calls of which a batch is passed on at once."""


class CallBatcher:
    """One method of the service, for single calls on one event loop."""

    def __init__(self, method: BatchMethod, cancel: Callable[[PendingCall], None]) -> None:
        self._method = method
        self._cancel = cancel
        self._loop = asyncio.get_running_loop()
        self._waiting: list[PendingCall] = []
        self._quiet = 0
        self._open = 0

    async def __call__(self, payload: bytes, call: Call) -> bytes:
        """Return the encoded response of one call.

        Raises:
            GlasstapeError: the call failed.
            CancelledError: the task was canceled; so is the call.
        """
        future: asyncio.Future[bytes] = self._loop.create_future()
        pending = PendingCall(
            deadline=call.deadline,
            principal=call.principal,
            payload=payload,
            received=time.monotonic(),
            tag=future,
        )
        if not self._waiting:
            self._loop.call_soon(self._turn, 1)
        self._waiting.append(pending)
        self._open += 1
        self._quiet = 0
        try:
            answer = await future
        except asyncio.CancelledError:
            self._cancel(pending)
            raise
        finally:
            self._open -= 1
        check_size(answer)
        return answer

    def _turn(self, known: int) -> None:
        self._quiet = self._quiet + 1 if len(self._waiting) == known else 0
        if len(self._waiting) < min(self._open, MAX_BATCH) and self._quiet < QUIET_TURNS:
            self._loop.call_soon(self._turn, len(self._waiting))
            return
        waiting, self._waiting = self._waiting, []
        self._method(waiting)


def replies_on(loop: asyncio.AbstractEventLoop) -> Callable[[Sequence[Answer]], None]:
    """Return a function that sets the futures of batched calls, with one wake-up of the loop for all."""

    def reply(answers: Sequence[Answer]) -> None:
        loop.call_soon_threadsafe(_set, answers)

    return reply


def _set(answers: Sequence[Answer]) -> None:
    for pending, answer in answers:
        future: asyncio.Future[bytes] = pending.tag
        if future.done():
            continue
        if isinstance(answer, GlasstapeError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
