"""Calls that grpcio hands over one by one, gathered into batches.

grpc.aio brings about one call per turn of the event loop. A batch is handed on when every open call is in it, so that
a call alone does not wait, or when a few turns in a row brought no more, which takes microseconds.
"""

import asyncio
from collections.abc import Callable, Sequence

from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.values import Call
from glasstape_server.rpc.batched import Rpc
from glasstape_server.rpc.calls import Answer, Incoming
from glasstape_server.rpc.handlers import check_size

QUIET_TURNS = 20
MOST = 64
"""Calls that are handed on at once, however many more come."""


class Gather:
    """One method of the service, for single calls on one event loop."""

    def __init__(self, rpc: Rpc, cancel: Callable[[Incoming], None]) -> None:
        self._rpc = rpc
        self._cancel = cancel
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Incoming] = []
        self._quiet = 0
        self._open = 0

    async def __call__(self, payload: bytes, call: Call) -> bytes:
        """Answer one call.

        Raises:
            GlasstapeError: whatever is wrong with it.
        """
        future: asyncio.Future[bytes] = self._loop.create_future()
        incoming = Incoming(payload, call, future)
        if not self._waiting:
            self._loop.call_soon(self._turn, 1)
        self._waiting.append(incoming)
        self._open += 1
        self._quiet = 0
        try:
            answer = await future
        except asyncio.CancelledError:
            self._cancel(incoming)
            raise
        finally:
            self._open -= 1
        check_size(answer)
        return answer

    def _turn(self, known: int) -> None:
        self._quiet = self._quiet + 1 if len(self._waiting) == known else 0
        if len(self._waiting) < min(self._open, MOST) and self._quiet < QUIET_TURNS:
            self._loop.call_soon(self._turn, len(self._waiting))
            return
        waiting, self._waiting = self._waiting, []
        self._rpc(waiting)


def reply_on(loop: asyncio.AbstractEventLoop) -> Callable[[Sequence[Answer]], None]:
    """Sets the futures of calls that were gathered on a loop; one wake-up for all."""

    def reply(answers: Sequence[Answer]) -> None:
        loop.call_soon_threadsafe(_set, answers)

    return reply


def _set(answers: Sequence[Answer]) -> None:
    for incoming, answer in answers:
        future: asyncio.Future[bytes] = incoming.tag
        if future.done():
            continue
        if isinstance(answer, GlasstapeError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
