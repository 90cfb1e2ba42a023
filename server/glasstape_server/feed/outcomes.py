"""What came of signals: resolved by bar count, and the track record made of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glasstape_server.domain import Direction, Event, Floats, Outcome, Signal
from glasstape_server.features.labels import classify

Z_95 = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""


def resolve(event: Event, columns: Floats) -> Outcome | None:
    """The outcome of a confidence event, if its horizon has passed.

    Args:
        event: the confidence.
        columns: bars of its series up to now, (6, bar): close time, open, high, low, close, volume.

    Returns:
        The outcome, or None while the future is not known.
    """
    made = event.body
    assert isinstance(made, Signal)
    start = int(columns[0].searchsorted(event.bar_close_time))
    end = start + int(made.entry) + made.horizon_bars
    if end >= columns.shape[1] or columns[0, start] != event.bar_close_time:
        return None
    realised = math.log(columns[4, end] / columns[4, start + int(made.entry)])
    return Outcome(
        confidence_sequence=event.sequence,
        signal_close_time=event.bar_close_time,
        predicted=made.confidence.direction,
        realised=classify(realised, made.flat_threshold),
        realised_return=realised,
        confidence=made.confidence,
    )


@dataclass(frozen=True, slots=True)
class Record:
    """Figures of one group of outcomes."""

    predicted: Direction | None
    """None: UP and DOWN together."""
    count: int
    hits: int
    hit_rate: float
    hit_rate_low: float
    hit_rate_high: float
    base_rate: float
    mean_return: float


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How signals turned out."""

    records: tuple[Record, ...]
    outcomes: int
    brier_score: float


def track_record(outcomes: Sequence[Outcome]) -> TrackRecord:
    """Hit rates of UP, of DOWN and of both. FLAT predictions are not scored: they cannot inflate it."""
    realised = [outcome.realised for outcome in outcomes]
    share = {d: realised.count(d) / len(realised) if realised else 0.0 for d in Direction}
    groups = {
        direction: [o for o in outcomes if o.predicted is direction]
        for direction in (Direction.UP, Direction.DOWN)
    }
    records = [_record(direction, group, share) for direction, group in groups.items()]
    records.append(_record(None, [o for group in groups.values() for o in group], share))
    brier = [_brier(outcome) for outcome in outcomes]
    return TrackRecord(tuple(records), len(outcomes), sum(brier) / len(brier) if brier else 0.0)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927); (0, 1) for nothing."""
    if count == 0:
        return 0.0, 1.0
    rate, z2 = hits / count, Z_95 * Z_95
    centre = (rate + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 / (1 + z2 / count) * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def _record(predicted: Direction | None, group: Sequence[Outcome], share: dict[Direction, float]) -> Record:
    count, hits = len(group), sum(outcome.hit for outcome in group)
    low, high = wilson(hits, count)
    signs = {Direction.UP: 1.0, Direction.DOWN: -1.0, Direction.FLAT: 0.0}
    returns = [signs[o.predicted] * o.realised_return for o in group]
    # What guessing the same calls at random against these outcomes would hit.
    base = _mean(share[o.predicted] for o in group)
    return Record(predicted, count, hits, hits / count if count else 0.0, low, high, base, _mean(returns))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _brier(outcome: Outcome) -> float:
    confidence = outcome.confidence
    stated = (confidence.down, confidence.flat, confidence.up)
    return sum((p - (d == outcome.realised)) ** 2 for d, p in zip(Direction, stated, strict=True))
