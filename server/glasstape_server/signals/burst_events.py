"""The events of one burst: outcomes first, then signals, ranked within their close."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Event, Forecasts
from glasstape_server.features.labels import LabelRule
from glasstape_server.signals.decision import announce, make_signal
from glasstape_server.signals.gather import Gathered


def burst_events(
    gathered: Gathered,
    forecasts: Forecasts | None,
    rule: LabelRule,
    progress: Mapping[SeriesKey, int],
    publish_time: int,
) -> list[Event]:
    """Return the events of a burst, numbered from 1.

    Args:
        gathered: bars that closed, and signals that they resolve.
        forecasts: of the bars; None: there are none.
        rule: what the classes mean.
        progress: close of each series' bar, microseconds.
        publish_time: wall time, microseconds.
    """
    events = [
        Event(
            batch_index, resolved.symbol, resolved.interval, progress[resolved.symbol, resolved.interval],
            publish_time, resolved.model, outcome,
        )
        for batch_index, (resolved, outcome) in enumerate(gathered.resolved, 1)
    ]  # fmt: skip
    if forecasts is None:
        return events
    places = np.zeros(len(gathered.closed), dtype=np.int64)
    if forecasts.rank_scores is not None:
        among = np.array([closed.ranked for closed in gathered.closed], dtype=np.bool_)
        places = close_ranks(forecasts.rank_scores, among)
    size = int((places > 0).sum())
    for row, closed in enumerate(gathered.closed):
        signal = replace(
            make_signal(closed, forecasts.confidence(row), rule),
            rank_score=forecasts.rank_score(row),
            close_rank=int(places[row]),
            close_size=size if places[row] else 0,
        )
        events += announce(signal, len(events) + 1, publish_time, forecasts.model)
    return events


def close_ranks(scores: Floats, among: NDArray[np.bool_]) -> Ints:
    """Return the place of each score, (n,), 1 for the highest; equal scores share the best of their places.

    Args:
        scores: of the symbols of one close, (n,).
        among: which of them are ranked, (n,); the place of the others is 0.
    """
    ranked = np.sort(scores[among])
    places = 1 + len(ranked) - np.searchsorted(ranked, scores, side="right")
    return np.where(among, places, 0)
