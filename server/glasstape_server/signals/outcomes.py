"""Outcomes of signals, resolved by bar count."""

import numpy as np

from glasstape_server.domain.values import Direction, Event, Floats, Outcome, Signal
from glasstape_server.features.labels import realized


def resolve(event: Event, columns: Floats) -> Outcome | None:
    """Return the outcome of a confidence event, if its horizon has passed.

    Args:
        event: the confidence.
        columns: bars of its series up to now, (6, bar): close time, open, high, low, close, volume.

    Returns:
        The outcome, or None while the future is not known.
    """
    signal = event.body
    assert isinstance(signal, Signal)
    start = int(columns[0].searchsorted(event.bar_close_time))
    end = start + int(signal.entry) + signal.horizon_bars
    if end >= columns.shape[1] or columns[0, start] != event.bar_close_time:
        return None
    closes = np.log(columns[4, start + int(signal.entry) : end + 1])
    paths, threshold = (closes[1:] - closes[0])[None], np.array([signal.flat_threshold])
    (class_index,), (log_return,) = realized(signal.label_kind, paths, threshold)
    return Outcome(
        confidence_sequence=event.sequence,
        signal_close_time=event.bar_close_time,
        predicted=signal.confidence.direction,
        realised=Direction(class_index),
        realised_return=float(log_return),
        confidence=signal.confidence,
    )
