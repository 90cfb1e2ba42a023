"""The decision rule: what is published of bars that closed, and their ranks within their close."""

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction, Forecasts, ModelRef
from glasstape_server.features.labels import LabelRule
from glasstape_server.signals.columns import ClosedBars, Confidences, Signals


def announce(
    closed: ClosedBars, forecasts: Forecasts | None, model: ModelRef, rule: LabelRule, first: int
) -> Signals:
    """Return the signals of closed bars: a confidence each, and directly after it the buy of an UP.

    Args:
        closed: what is announced.
        forecasts: of its windows; None: there are none.
        model: which made them.
        rule: what their classes mean.
        first: position of the first confidence within its batch, from 1; the journal numbers the batch.
    """
    count, confidences = len(closed), Confidences.of(forecasts)
    is_buy = confidences.class_index == Direction.UP
    position = first + np.arange(count) + is_buy.cumsum() - is_buy
    scores, places = np.full(count, np.nan), np.zeros(count, np.int64)
    if forecasts is not None and forecasts.rank_scores is not None:
        scores = np.asarray(forecasts.rank_scores, np.float64)
        places = close_ranks(scores, closed.ranked)
    size = np.where(places > 0, (places > 0).sum(), 0)
    return Signals(closed, confidences, model, rule, position, scores, places, size)


def close_ranks(scores: Floats, among: NDArray[np.bool_]) -> Ints:
    """Return the place of each score, (n,), 1 for the highest; equal scores share the best of their places.

    Args:
        scores: of the symbols of one close, (n,).
        among: which of them are ranked, (n,); the place of the others is 0.
    """
    ranked = np.sort(scores[among])
    places = 1 + len(ranked) - np.searchsorted(ranked, scores, side="right")
    return np.where(among, places, 0)
