"""Bars become events: once, of one model, whatever becomes of an append."""

import asyncio
from dataclasses import replace

import made_up
import numpy as np
import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.errors import Unavailable
from glasstape_server.domain.signals import Buy, Forecasts, Outcome, Signal
from glasstape_server.domain.times import DAY
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore
from glasstape_server.rpc.convert.close_encoder import encode_close
from glasstape_server.rpc.convert.signals import decode_event, encode_event
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.retention import Retention
from glasstape_server.signals.pipeline import Codec, Pipeline
from journals import A, append
from replicas import MemoryHistory, Replica, SharedLog

HISTORY = 80
SYMBOLS = ("AAA", "BBB", "CCC")
FIRST = 10_000 * DAY


def bars_of(symbol, first, last):
    columns = made_up.columns(HISTORY + 60, SYMBOLS.index(symbol))
    return [
        Bar(symbol, "1d", FIRST + number * DAY, *columns[:, number].tolist()) for number in range(first, last)
    ]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # a journal is read, it announces nothing
            await asyncio.sleep(0.01)


class UpForecaster:
    """Says UP of everything, and how often it was asked; ranks the last window highest if it ranks."""

    def __init__(self, model, version, has_rank_head=False):
        self.ref = replace(model.ref, version=version)
        self.spec, self.label_rule = model.spec, model.label_rule
        self.has_rank_head = has_rank_head
        self.asked = 0

    async def forecast(self, windows):
        self.asked += 1
        count = len(windows)
        probabilities = np.tile([0.1, 0.2, 0.7], (count, 1))
        return Forecasts(
            self.ref,
            np.zeros((count, 3), np.float32),
            probabilities,
            np.zeros(count, bool),
            np.zeros(count),
            rank_scores=np.arange(count) / 8 if self.has_rank_head else None,
        )


class Node:
    """Bars, a journal, and the pipeline between them."""

    def __init__(self, folder, log, model, keep=0, history=None, **options):
        self.ingest = Ingest(BarStore(folder / "bars.sqlite", "1d"), Clock())
        self.journal = Replica(log, owner=True, history=history)
        self.readers = HistoryReaders(self.journal.history)
        self.active = UpForecaster(model, "1")
        self.pipeline = Pipeline(
            ingest=self.ingest,
            journal=self.journal,
            readers=self.readers,
            interval="1d",
            active=lambda: self.active,
            codec=Codec(encode_close, decode_event),
            retention=Retention(self.journal, self.readers, decode_event, keep=keep),
            retry_seconds=0.01,
            **options,
        )
        self.ingest.on_closed = self.pipeline.notify

    async def publish(self, first, last, mode=BatchMode.FINAL):
        for number in range(first, last):
            bars = [bar for symbol in SYMBOLS for bar in bars_of(symbol, number, number + 1)]
            await self.ingest.publish(Batch(bars, mode=mode))

    async def close(self):
        await self.pipeline.stop(5)
        await self.ingest.close()
        self.readers.close()

    def events(self):
        return [decode_event(r.payload, r.model) for r in self.journal.history.read(0, 10_000)]

    async def signaled(self, last):
        """The events once every symbol's bar before `last` is signaled."""
        newest = {FIRST + (last - 1) * DAY}
        await until(lambda: set(self.journal.history.progress().values()) == newest)
        return self.events()


@pytest.fixture
def log():
    return SharedLog()


@pytest.fixture
async def nodes(tmp_path, log, bundled):
    """Makes nodes that know the history of every symbol."""
    made = []

    async def make(start=True, **options):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        node = Node(folder, log, bundled, **options)
        made.append(node)
        await node.publish(0, HISTORY, mode=BatchMode.BACKFILL)
        if start:
            await node.pipeline.start()
        return node

    yield make
    for node in made:
        await node.close()


@pytest.fixture
async def node(nodes):
    return await nodes()


def _signals(events):
    return [(e.symbol, e.bar_close_time) for e in events if isinstance(e.body, Signal)]


async def test_each_closed_bar_is_signaled_with_its_buy_and_resolved_once(node):
    await node.publish(HISTORY, HISTORY + 6)
    events = await node.signaled(HISTORY + 6)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len(_signals(events)) == len(set(_signals(events))) == 3 * 6
    by_sequence = {event.sequence: event for event in events}
    for event in events:
        if isinstance(event.body, Buy):
            confidence = by_sequence[event.body.confidence_sequence]
            assert event.body.confidence_sequence == event.sequence - 1
            assert event.body.signal == confidence.body
        if isinstance(event.body, Outcome):
            signal = by_sequence[event.body.confidence_sequence]
            assert (signal.symbol, signal.bar_close_time) == (event.symbol, event.body.signal_close_time)
    resolved = [e.body.confidence_sequence for e in events if isinstance(e.body, Outcome)]
    assert len(resolved) == len(set(resolved)) > 0
    unresolved = {record.sequence for record in node.journal.history.unresolved()}
    assert unresolved == {e.sequence for e in events if isinstance(e.body, Signal)} - set(resolved)


@pytest.mark.parametrize(
    "unusable", [(0.0, 0.0, 0.0, 10.0, 0.0), (10.0, 10.0, 10.0, 10.0, 0.0)], ids=["halted", "without trades"]
)
async def test_a_bar_that_is_removed_or_unusable_while_it_waits_gets_no_signal(nodes, unusable):
    node = await nodes(start=False)
    await node.publish(HISTORY, HISTORY + 2)
    first, second = FIRST + HISTORY * DAY, FIRST + (HISTORY + 1) * DAY
    assert await node.ingest.remove_bars(("AAA", "1d"), second, second) == 1
    bar = Bar("BBB", "1d", second, *unusable)
    assert (await node.ingest.publish(Batch([bar], mode=BatchMode.REPLACE))).replaced == 1
    node.pipeline.notify([(("AAA", "1d"), second), (("BBB", "1d"), second)])
    await node.pipeline.start()
    every = {(symbol, first) for symbol in SYMBOLS} | {("CCC", second)}
    assert set(_signals(node.events())) == every


async def test_a_renamed_symbol_is_not_signaled_again(nodes):
    node = await nodes()
    await node.publish(HISTORY, HISTORY + 2)
    before = await node.signaled(HISTORY + 2)
    await node.ingest.rename_symbol("AAA", "NEW")
    await node.pipeline.stop(5)
    await node.pipeline.start()
    assert node.events() == before
    (newest,) = bars_of("AAA", HISTORY + 2, HISTORY + 3)
    await node.ingest.publish(Batch([replace(newest, symbol="NEW")]))
    await until(lambda: ("NEW", newest.close_time) in _signals(node.events()))


async def test_a_burst_whose_acknowledgment_is_lost_is_journaled_once(node, log):
    await node.publish(HISTORY, HISTORY + 1)
    await node.signaled(HISTORY + 1)
    log.lose_next_acknowledgment = True
    await node.publish(HISTORY + 1, HISTORY + 4)
    events = await node.signaled(HISTORY + 4)
    assert len(_signals(events)) == len(set(_signals(events))) == 3 * 4
    assert not node.pipeline.degraded_reason


async def test_a_burst_that_is_tried_again_keeps_its_forecast_and_its_model(node, log, bundled):
    log.full = True
    await node.publish(HISTORY, HISTORY + 1)
    await until(lambda: node.pipeline.degraded_reason == "the log is full")
    first, node.active = node.active, UpForecaster(bundled, "2")
    await asyncio.sleep(0.05)
    log.full = False
    events = await node.signaled(HISTORY + 1)
    assert {event.model.version for event in events} == {"1"}
    assert (first.asked, node.active.asked) == (1, 0)
    assert not node.pipeline.degraded_reason
    await node.publish(HISTORY + 1, HISTORY + 2)
    events = await node.signaled(HISTORY + 2)
    assert {e.model.version for e in events if e.bar_close_time > FIRST + HISTORY * DAY} == {"2"}


async def test_of_two_pipelines_that_believe_to_lead_each_bar_is_signaled_by_one(nodes):
    rivals = [await nodes(), await nodes()]
    await asyncio.gather(*(rival.publish(HISTORY, HISTORY + 15) for rival in rivals))
    for rival in rivals:
        events = await rival.signaled(HISTORY + 15)
        assert len(_signals(events)) == len(set(_signals(events))) == 3 * 15
        resolved = [e.body.confidence_sequence for e in events if isinstance(e.body, Outcome)]
        assert len(resolved) == len(set(resolved)) > 0
    assert rivals[0].events() == rivals[1].events()


async def test_a_fenced_pipeline_whose_history_cannot_be_read_tries_again(nodes, log):
    class Failing(MemoryHistory):
        left = 0

        def progress(self):
            if self.left:
                self.left -= 1
                raise Unavailable("JOURNAL_UNAVAILABLE", "too many open files")
            return super().progress()

    history = Failing()
    node = await nodes(history=history)
    history.left = 2
    await append(Replica(log), A, encode=encode_event)
    await node.publish(HISTORY, HISTORY + 2)
    await until(lambda: not history.left)
    events = await node.signaled(HISTORY + 2)
    assert len(_signals(events)) == len(set(_signals(events))) == 1 + 3 * 2
    assert not node.pipeline.degraded_reason


async def test_what_was_stored_and_not_signaled_is_signaled_at_the_start(nodes):
    node = await nodes(start=False)
    await node.publish(HISTORY, HISTORY + 5)
    await node.pipeline.start()
    events = node.events()
    assert len(_signals(events)) == len(set(_signals(events))) == 3 * 5


async def test_signals_of_an_earlier_process_are_resolved(nodes):
    first = await nodes()
    await first.publish(HISTORY, HISTORY + 1)
    before = await first.signaled(HISTORY + 1)
    second = await nodes(start=False)
    await second.publish(HISTORY, HISTORY + 6)
    await second.pipeline.start()
    resolved = {e.body.confidence_sequence for e in second.events() if isinstance(e.body, Outcome)}
    assert {e.sequence for e in before if isinstance(e.body, Signal)} <= resolved


async def test_what_fails_behind_a_burst_holds_up_no_other(nodes, caplog):
    def fails(burst):
        raise ValueError("statistics")

    node = await nodes(on_signaled=fails)
    await node.publish(HISTORY, HISTORY + 2)
    events = await node.signaled(HISTORY + 2)
    assert len(_signals(events)) == len(set(_signals(events))) == 3 * 2
    assert "a burst was journaled; what follows it failed" in caplog.text


async def test_old_events_are_removed_behind_a_burst(nodes):
    node = await nodes(keep=10)
    await node.publish(HISTORY, HISTORY + 6)
    await node.signaled(HISTORY + 6)
    await until(lambda: len(node.events()) <= 11)
    assert len(node.events()) >= 10


async def test_a_close_that_another_model_began_is_not_ranked_and_the_next_one_is(nodes, bundled):
    node = await nodes(close_grace_s=0.0)
    await node.ingest.publish(Batch(bars_of("AAA", HISTORY, HISTORY + 1)))
    await until(lambda: node.events())
    node.active = UpForecaster(bundled, "2", has_rank_head=True)
    for symbol in ("BBB", "CCC"):
        await node.ingest.publish(Batch(bars_of(symbol, HISTORY, HISTORY + 1)))
    await node.signaled(HISTORY + 1)
    await node.publish(HISTORY + 1, HISTORY + 2)
    signals = [event.body for event in await node.signaled(HISTORY + 2) if isinstance(event.body, Signal)]
    first, last = (sorted(s.close_rank for s in part) for part in (signals[:3], signals[3:]))
    assert (first, last) == ([0, 0, 0], [1, 2, 3])
    assert [signal.rank_score is None for signal in signals] == [True] + 5 * [False]
