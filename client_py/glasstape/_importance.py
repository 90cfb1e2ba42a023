"""The methods of both clients that summarize what a model looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasstape._lazy import LazyModule
from glasstape.types.enums import Method, Score

if TYPE_CHECKING:
    from datetime import timedelta

    from glasstape import _importance_calls
    from glasstape._aio_transport import AsyncTransport
    from glasstape._transport import Transport
    from glasstape.types.importance import Importance, WindowFilter
else:
    _importance_calls = LazyModule("glasstape._importance_calls")

TIMEOUT_S = 60.0
"""Seconds that a call may take, unless stated: it runs after all other work of the server."""


class ImportanceMethods:
    """Methods of `Client`."""

    _transport: Transport

    def importance(
        self,
        window_filter: WindowFilter | None = None,
        *,
        reference: WindowFilter | None = None,
        model: str = "",
        max_windows: int = 0,
        method: Method | str = Method.UNSPECIFIED,
        score: Score | str = Score.UNSPECIFIED,
        permutation: bool = False,
        seed: int = 0,
        timeout: timedelta | float | None = TIMEOUT_S,
    ) -> Importance:
        """Return what a model looks at: mean importance per feature and bar over many windows, with 95 % intervals.

        Args:
            window_filter: windows of the server's stored bars; None: all symbols, the last 30 days.
            reference: windows to compare with, of a period that does not overlap, by default the one before; None: no
                comparison.
            model: "name" or "name@version"; "": the active model.
            max_windows: windows of each set, at most 16,384, drawn at random if there are more; 0: 2,000.
            method: how the maps are computed, one with a signed map of single cells; UNSPECIFIED: SCALED_PATH_GRADIENT.
            score: the number to explain; UNSPECIFIED: the method's default.
            permutation: also measure how much worse the model predicts without each feature, bar and cell, on
                windows whose outcome is known; takes several hundred passes for each.
            seed: seed of every random number.
            timeout: seconds that the call may take; None: that of the client.

        Raises:
            GlasstapeError: the call failed.
        """
        call = _importance_calls.get_importance(
            window_filter, reference, model=model, max_windows=max_windows, method=method, score=score,
            permutation=permutation, seed=seed,
        )  # fmt: skip
        return self._transport.run(call, timeout)


class AsyncImportanceMethods:
    """Methods of `AsyncClient`."""

    _transport: AsyncTransport

    async def importance(
        self,
        window_filter: WindowFilter | None = None,
        *,
        reference: WindowFilter | None = None,
        model: str = "",
        max_windows: int = 0,
        method: Method | str = Method.UNSPECIFIED,
        score: Score | str = Score.UNSPECIFIED,
        permutation: bool = False,
        seed: int = 0,
        timeout: timedelta | float | None = TIMEOUT_S,
    ) -> Importance:
        """See `Client.importance`."""
        call = _importance_calls.get_importance(
            window_filter, reference, model=model, max_windows=max_windows, method=method, score=score,
            permutation=permutation, seed=seed,
        )  # fmt: skip
        return await self._transport.run(call, timeout)
