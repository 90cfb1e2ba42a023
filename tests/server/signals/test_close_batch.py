"""A close by column is the close bar by bar: windows, signals, outcomes, bytes and records."""

from dataclasses import dataclass, field, replace

import made_up
import numpy as np
import plain_close
import pytest
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.signals import Confidence, Entry, Forecasts, ModelRef, Signal
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore
from glasstape_server.rpc.convert.close_encoder import encode_close
from glasstape_server.rpc.convert.signals import decode_event
from glasstape_server.signals.burst_events import announce
from glasstape_server.signals.close_batch import CloseBatch
from glasstape_server.signals.gather import gather
from glasstape_server.signals.journal.chain import JOURNAL_ORIGIN
from glasstape_server.signals.outcomes import OpenSignals

SYMBOLS = ("A", "BB", "CCC", "BRK.B", "NEW")
CLOSES = 12
PUBLISHED = 1_700_000_000_123_456


@dataclass
class Scenario:
    """A market and a model."""

    interval: str = "1d"
    rule: LabelRule = field(default_factory=LabelRule)
    spec: FeatureSpec = field(default_factory=FeatureSpec)
    exchange: str = ""
    reload: bool = False
    """Whether open signals are decoded from the journal after each close, as after a restart."""


@dataclass(frozen=True)
class Forecaster:
    """What a close needs of a model."""

    ref: ModelRef
    spec: FeatureSpec
    label_rule: LabelRule
    has_rank_head: bool = False


def _confidence(window):
    """Any confidence, the same for the same window; some values are exactly 0 or equal."""
    random = np.random.default_rng(abs(int(window.view(np.int32).sum())))
    probabilities = random.integers(0, 5, 3) / 8
    return Confidence(*probabilities.tolist(), bool(random.integers(2)), float(random.integers(3) / 2))


def _forecasts(ref, windows):
    rows = [_confidence(window) for window in windows]
    return Forecasts(
        ref,
        np.zeros((len(rows), 3), np.float32),
        np.array([(r.down, r.flat, r.up) for r in rows]).reshape(-1, 3),
        np.array([r.abstained for r in rows], bool),
        np.array([r.novelty for r in rows], float),
    )


def _bars(scenario, history, random):
    """The bars of each close: some missing, halted, or without trades, and one symbol that is new."""
    length = INTERVALS[scenario.interval]
    start = 10_000 * DAY + length
    columns = {symbol: made_up.columns(history + CLOSES, n) for n, symbol in enumerate(SYMBOLS)}
    for number in range(history + CLOSES):
        bars = []
        for symbol in SYMBOLS:
            values = columns[symbol][:, number].tolist()
            kind = random.integers(12)
            if (symbol == "NEW" and number < history // 2) or kind == 0:
                continue
            if kind == 1:
                values = [0.0, 0.0, 0.0, values[3], 0.0]
            bars.append(Bar(symbol, scenario.interval, start + number * length, *values))
        yield bars


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(),
        Scenario(reload=True),
        Scenario(rule=LabelRule(kind="triple_barrier", horizon_bars=4), exchange="XNYS"),
        Scenario(rule=LabelRule(entry=Entry.CURRENT_CLOSE, horizon_bars=2), interval="1h"),
        Scenario(interval="5m", spec=FeatureSpec(session_gap="split"), reload=True),
        Scenario(rule=LabelRule(horizon_bars=9), spec=FeatureSpec(window_bars=3)),
    ],
    ids=["daily", "restarted", "barrier", "hourly", "split", "long"],
)
@pytest.mark.parametrize("seed", range(3))
async def test_a_close_by_column_is_the_close_bar_by_bar(tmp_path, scenario, seed):
    random = np.random.default_rng(seed)
    ingest = Ingest(BarStore(tmp_path / "bars.sqlite", scenario.interval), Clock())
    history = scenario.spec.min_bars * 4 // 3 + 5  # some bars are halted or missing
    forecaster = Forecaster(ModelRef("m", "1", "d", "f"), scenario.spec, scenario.rule)
    described = [Instrument(symbol, exchange=scenario.exchange) for symbol in SYMBOLS[:2]]
    open_signals, open_events, end = OpenSignals(), [], JOURNAL_ORIGIN
    compared = 0
    for number, bars in enumerate(_bars(scenario, history, random)):
        mode = BatchMode.BACKFILL if number < history else BatchMode.FINAL
        report = await ingest.publish(Batch(bars, described if number == 0 else (), mode))
        ref = replace(forecaster.ref, version=str(number // 4))
        forecaster = replace(forecaster, ref=ref)
        burst = report.closed
        if not burst:
            continue
        expected = await ingest.run_on_market_thread(
            plain_close.close, ingest, forecaster, burst, open_events, _confidence, PUBLISHED
        )
        gathered = await ingest.run_on_market_thread(
            gather, ingest, scenario.interval, forecaster, burst, open_signals
        )
        closed, outcomes = gathered.closed, gathered.outcomes
        signals = announce(closed, _forecasts(ref, closed.windows), ref, scenario.rule, len(outcomes) + 1)
        batch = CloseBatch(signals, outcomes, dict(burst), PUBLISHED, encode_close)
        assert batch.event_ids == expected.event_ids
        assert batch.resolved == expected.resolved
        np.testing.assert_array_equal(batch.windows, expected.windows)
        records = batch.records(end)
        assert records == expected.records(end)
        head, end = end.sequence, records[-1].position if records else end
        events = [decode_event(record.payload, record.model) for record in records]
        done = set(batch.resolved)
        open_events = [e for e in open_events if e.sequence not in done]
        open_events += [event for event in events if isinstance(event.body, Signal)]
        open_signals.remove(outcomes.confidence_sequence)
        open_signals.add(signals, head + signals.position)
        if scenario.reload:
            open_signals = OpenSignals(open_events)
        assert len(open_signals) == len(open_events)
        compared += len(records)
    assert compared > 40
    await ingest.close()
