"""Kill the server again and again while bars are published and three clients follow.

GLASSTAPE_KILLS sets the number of kills (default 3). At the end, against the journal: nothing that was
acknowledged is lost, nothing arrived twice, order held, and every `through_sequence` was true.
"""

import os
import random
import threading
import time

import pytest
from glasstape import BuyEvent, Client, ConfidenceEvent, EventBatch, Gap, GlasstapeError, Opened, OutcomeEvent
from made_up import daily

KILLS = int(os.environ.get("GLASSTAPE_KILLS", "3"))
SYMBOLS = ("AAA", "BBB", "CCC")
HISTORY = 80


class Follower(threading.Thread):
    """A client that records what it was told."""

    def __init__(self, address, *, pause=0.0, **wanted):
        super().__init__(daemon=True)
        self.client = Client(address)
        self.stream = self.client.signals(start="earliest", heartbeat_interval=0.2, **wanted)
        self.pause = pause
        self.events = []
        self.bookmarks = []
        self.notices = []
        self.error = None

    def run(self):
        try:
            for message in self.stream.messages():
                if isinstance(message, EventBatch):
                    self.events += message.events
                else:
                    self.notices.append(message)
                self.bookmarks.append((len(self.events), self.stream._state._next_through))
                time.sleep(self.pause)
        except GlasstapeError as error:
            self.error = error

    @property
    def through(self):
        return self.bookmarks[-1][1] if self.bookmarks else 0


class Publisher(threading.Thread):
    """Publishes bar after bar, and repeats what was not acknowledged."""

    def __init__(self, address, bars):
        super().__init__(daemon=True)
        self.client = Client(address, timeout=3.0)
        self.bars = bars
        self.acknowledged = 0
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        for batch in self.bars:
            while not self.stopping.is_set():
                try:
                    report = self.client.publish_bars(batch)
                except GlasstapeError as error:
                    self.errors.append(error)
                    time.sleep(0.05)
                    continue
                assert report.stored + report.duplicates == len(batch)
                self.acknowledged += 1
                break
            time.sleep(0.01)


@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(tmp_path, spawn):
    chance = random.Random(7)
    server = spawn(tmp_path)
    series = {symbol: daily(symbol, 13_000, seed) for seed, symbol in enumerate(SYMBOLS)}
    with Client(server.address) as client:
        for bars in series.values():
            client.publish_bars(bars[:HISTORY], backfill=True)
    publisher = Publisher(
        server.address, [list(row) for row in zip(*(b[HISTORY:] for b in series.values()), strict=True)]
    )
    everything = Follower(server.address, delivery="every_event", conflation_interval=0)
    filtered = Follower(server.address, kinds=["buy"], symbols=["AAA", "CCC"])
    slow = Follower(server.address, pause=0.3)
    followers = (everything, filtered, slow)
    for thread in (publisher, *followers):
        thread.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.2))
        before = publisher.acknowledged
        server.kill()
        server.start()
        deadline = time.monotonic() + 20
        while publisher.acknowledged < before + 3:
            assert time.monotonic() < deadline, (
                f"publishing did not go on: {publisher.errors[-3:]} {publisher.is_alive()}"
            )
            time.sleep(0.02)
    publisher.stopping.set()
    publisher.join(10)

    with Client(server.address) as client:
        acknowledged = publisher.acknowledged
        journal = _settled(client, acknowledged)
        head = max(journal)
        deadline = time.monotonic() + 30
        while any(follower.through < head for follower in followers):
            assert time.monotonic() < deadline, [(f.through, f.error) for f in followers]
            time.sleep(0.05)
        for symbol, bars in series.items():
            stored = client.bars(symbol, "1d")
            assert stored[: HISTORY + acknowledged] == bars[: HISTORY + acknowledged]
    for follower in followers:
        follower.stream.close()
        follower.join(10)
        follower.client.close()
        assert follower.error is None
    server.stop()

    assert acknowledged >= 3 * KILLS
    signalled = [(e.symbol, e.bar_close_time) for e in journal.values() if isinstance(e, ConfidenceEvent)]
    assert len(signalled) == len(set(signalled)), "a bar was signalled twice"
    for symbol, bars in series.items():
        for bar in bars[HISTORY : HISTORY + acknowledged]:
            assert (symbol, bar.close_time) in set(signalled), "an acknowledged bar was not signalled"
    _check(everything, journal, lambda e: True, conflated=False)
    _check(
        filtered, journal, lambda e: isinstance(e, BuyEvent) and e.symbol in ("AAA", "CCC"), conflated=False
    )
    _check(slow, journal, lambda e: True, conflated=True)


def _settled(client, acknowledged):
    """The journal once every acknowledged bar is signalled."""
    deadline = time.monotonic() + 20
    while True:
        journal = {event.sequence: event for event in client.history()}
        made = sum(isinstance(e, ConfidenceEvent) for e in journal.values())
        if made >= acknowledged * len(SYMBOLS):
            return journal
        assert time.monotonic() < deadline, f"{made} of {acknowledged * len(SYMBOLS)} signals"
        time.sleep(0.1)


def _check(follower, journal, wanted, *, conflated):
    sequences = [event.sequence for event in follower.events]
    assert sequences == sorted(set(sequences)), "out of order, or twice"
    for event in follower.events:
        assert event == journal[event.sequence], "not what was journalled"
        assert wanted(event)
    assert not [n for n in follower.notices if isinstance(n, Gap)]
    assert all(n.result.name in ("STARTED", "RESUMED") for n in follower.notices if isinstance(n, Opened))
    must = sorted(
        s
        for s, e in journal.items()
        if wanted(e) and (not conflated or isinstance(e, BuyEvent | OutcomeEvent))
    )
    delivered = set(sequences)
    head = max(journal)
    assert delivered >= {s for s in must if s <= head}
    # Every bookmark was true when it was given: what had to be delivered up to it, was.
    position, seen = 0, set()
    for count, through in follower.bookmarks:
        seen.update(sequences[position:count])
        position = count
        missing = [s for s in must if s <= through and s not in seen]
        assert not missing, f"through {through} was claimed without {missing[:3]}"
    if conflated:
        last = {e.symbol: s for s, e in journal.items() if isinstance(e, ConfidenceEvent)}
        assert set(last.values()) <= delivered, "conflation must end on the latest"
