"""A shadow model: it predicts the windows of the active model, publishes nothing, and is compared with it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.signals import Forecasts, ModelRef
from glasstape_server.signals.decision import Forecaster

log = logging.getLogger(__name__)

MAX_QUEUED_WINDOWS = 65_536


@dataclass(slots=True)
class Comparison:
    """How often two models disagreed."""

    against: ModelRef
    """The active model; when another one becomes active, counting starts at 0."""
    compared: int = 0
    """Windows that both predicted."""
    disagreed: int = 0
    """Of these, how many have another winning class."""


@dataclass(frozen=True, slots=True)
class _Published:
    active: Forecaster
    forecasts: Forecasts
    windows: Float32s


class Shadow:
    """Compares a shadow with what was published, in the background: it delays no signal."""

    def __init__(self, model: Callable[[], Forecaster | None], max_queued: int = MAX_QUEUED_WINDOWS) -> None:
        """Create a comparison without records.

        Args:
            model: the shadow as of now; None while there is none.
            max_queued: windows queued at most; beyond it the oldest are dropped, which bounds memory.
        """
        self._max_queued = max_queued
        self._model = model
        self._comparisons: dict[str, Comparison] = {}
        self._waiting: deque[_Published] = deque()
        self._last_error = ""
        self._task: asyncio.Task[None] | None = None

    def offer(self, active: Forecaster, published: Forecasts, windows: Float32s) -> None:
        """Queue windows that were just signaled."""
        self._waiting.append(_Published(active, published, windows))
        while sum(len(item.windows) for item in self._waiting) > self._max_queued and len(self._waiting) > 1:
            self._waiting.popleft()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    def of(self, digest: str) -> Comparison | None:
        """Return the comparison of a model since the start; None if it never was a shadow."""
        return self._comparisons.get(digest)

    async def idle(self) -> None:
        """Wait until everything that was offered is compared."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self._waiting:
            try:
                await self._compare(self._waiting.popleft())
            except Exception as error:  # a shadow may fail in any way; the feed goes on
                self._report(f"shadow: {error}")

    async def _compare(self, item: _Published) -> None:
        shadow = self._model()
        if shadow is None or shadow.ref == item.active.ref:
            return
        if shadow.spec.hash != item.active.spec.hash:
            self._report(f"shadow: {shadow.ref.name} takes other features than {item.active.ref.name}")
            return
        forecasts = await shadow.forecast(item.windows)
        differs = forecasts.probabilities.argmax(axis=1) != item.forecasts.probabilities.argmax(axis=1)
        comparison = self._comparisons.get(shadow.ref.digest)
        if comparison is None or comparison.against != item.active.ref:
            comparison = self._comparisons[shadow.ref.digest] = Comparison(item.active.ref)
        comparison.compared += len(differs)
        comparison.disagreed += int(differs.sum())
        self._last_error = ""

    def _report(self, error: str) -> None:
        """Log an error once, not for each burst."""
        if error != self._last_error:
            log.warning("%s", error)
        self._last_error = error
