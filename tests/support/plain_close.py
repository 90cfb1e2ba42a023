"""A close bar by bar, as a definition: what gathering, deciding and resolving by column must equal."""

import numpy as np
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.signals import Buy, Direction, Event, Outcome, Signal
from glasstape_server.domain.times import INTERVALS
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import realized
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.missing_bars import MissingBars
from glasstape_server.rpc.convert.signals import encode_event
from plain_batch import PlainBatch


def resolve(event, columns):
    """The outcome of a confidence event by the bars of its series, (6, bar); None while the future is not known."""
    signal = event.body
    # The newest bar up to the signal's: its own, or the one before if a correction halted it.
    start = int(columns[0].searchsorted(event.bar_close_time, side="right")) - 1
    end = start + int(signal.entry) + signal.horizon_bars
    if start < 0 or end >= columns.shape[1]:
        return None
    closes = np.log(columns[4, start + int(signal.entry) : end + 1])
    paths, threshold = (closes[1:] - closes[0])[None], np.array([signal.flat_threshold])
    (class_index,), (log_return,) = realized(signal.label_kind, paths, threshold)
    return Outcome(
        event.sequence, event.bar_close_time, signal.confidence.direction, Direction(class_index),
        float(log_return), signal.confidence,
    )  # fmt: skip


def resolved(store, open_events, key, columns):
    """Those of a series whose horizon has passed, with their outcomes."""
    found = []
    for event in open_events:
        if (event.symbol, event.interval) != key:
            continue
        bars = columns
        if not columns.shape[1] or event.bar_close_time < columns[0, 0]:
            ahead = int(event.body.entry) + event.body.horizon_bars
            bars = store.since(key, event.bar_close_time, ahead + 1)
        outcome = resolve(event, bars)
        if outcome is not None:
            found.append((event, outcome))
    return found


def signal_of(ingest, forecaster, key, close_time, columns, confidence):
    """The signal of one bar."""
    store, spec, rule = ingest.store, forecaster.spec, forecaster.label_rule
    series = store.stack([key], [columns])
    daily = INTERVALS[key[1]] >= INTERVALS["1d"]
    previous = float(columns[4, -2]) if daily else store.previous_session_close(key, close_time)
    next_close, expire_time = ingest.calendars.bars_later(key, close_time, 1, rule.bars_ahead)
    return Signal(
        confidence, Bar(*key, close_time, *columns[1:, -1].tolist()), previous, rule.horizon_bars, rule.entry,
        expire_time, ingest.clock.state_until(next_close),
        float(rule.threshold(volatility(spec, series)[:, -1])[0]), rule.kind,
        MissingBars(store, ingest.calendars).count(key, columns[0, -spec.window_bars - 1 :].astype(int).tolist()),
    )  # fmt: skip


def close(ingest, forecaster, burst, open_events, forecast, publish_time):
    """The batch of a close, and its windows.

    Args:
        forecast: the confidence of a window.
    """
    store, spec = ingest.store, forecaster.spec
    outcomes, signals, windows = [], [], []
    for key, close_time in burst:
        columns = store.until(key, close_time, spec.min_bars)
        outcomes += [(*key, close_time, *each) for each in resolved(store, open_events, key, columns)]
        if columns.shape[1] < spec.min_bars or columns[0, -1] != close_time:
            continue
        (window,), (usable,) = latest_windows(spec, store.stack([key], [columns]))
        if usable:
            signals.append(signal_of(ingest, forecaster, key, close_time, columns, forecast(window)))
            windows.append(window)
    events = [
        Event(number, symbol, interval, close_time, publish_time, signaled.model, outcome)
        for number, (symbol, interval, close_time, signaled, outcome) in enumerate(outcomes, 1)
    ]
    for signal in signals:
        position, bar = len(events) + 1, signal.bar
        bodies = [signal]
        if signal.confidence.direction is Direction.UP:
            bodies.append(Buy(position, signal))
        events += [
            Event(
                position + place, bar.symbol, bar.interval, bar.close_time, publish_time, forecaster.ref, body
            )
            for place, body in enumerate(bodies)
        ]
    stacked = np.stack(windows) if windows else np.empty((0, *spec.window_shape), np.float32)
    return PlainBatch(events, stacked, dict(burst), encode_event)
