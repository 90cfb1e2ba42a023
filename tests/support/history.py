"""What clients of the feed were told, and whether that may be: the rules of etcd's watch, and ours.

A run without enough load says nothing and is invalid, not passed.
"""

import threading
import time

from glasstape import (
    BuyEvent,
    Client,
    ConfidenceEvent,
    Disconnected,
    EventBatch,
    GlasstapeError,
    Opened,
    OutcomeEvent,
    SequenceGap,
)


class Follower(threading.Thread):
    """A client that records what it was told, and when."""

    def __init__(self, address, *, pause=0.0, start="earliest", **wanted):
        super().__init__(daemon=True)
        self.client = Client(address)
        self.stream = self.client.signals(start=start, heartbeat_interval=0.2, **wanted)
        self.pause = pause
        self.events = []
        self.bookmarks = []
        """(events delivered before, the sequence through which everything is claimed to be delivered)"""
        self.notices = []
        self.heard = []
        """When anything came."""
        self.lost = []
        """When a connection was given up."""
        self.error = None

    def run(self):
        try:
            for message in self.stream.messages():
                if isinstance(message, Disconnected):
                    self.lost.append(time.monotonic())
                else:
                    self.heard.append(time.monotonic())
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

    def finish(self, head, seconds=30):
        """Wait until it claims everything up to `head`, and end it."""
        deadline = time.monotonic() + seconds
        while self.through < head:
            assert time.monotonic() < deadline, f"through {self.through} of {head}: {self.error}"
            time.sleep(0.02)
        self.stream.close()
        self.join(10)
        self.client.close()
        assert self.error is None


class Publisher(threading.Thread):
    """Publishes batch after batch, and repeats what was not acknowledged."""

    def __init__(self, address, batches, pause=0.01):
        super().__init__(daemon=True)
        self.client = Client(address, timeout=3.0)
        self.batches = batches
        self.pause = pause
        self.acknowledged = 0
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        for batch in self.batches:
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
            if self.stopping.is_set():
                return
            time.sleep(self.pause)

    def reach(self, count, seconds=20):
        """Wait until so many batches are acknowledged; a run that cannot get there is invalid."""
        deadline = time.monotonic() + seconds
        while self.acknowledged < count:
            assert time.monotonic() < deadline, (
                f"invalid run: {self.acknowledged} of {count}: {self.errors[-3:]}"
            )
            time.sleep(0.01)

    def finish(self):
        self.stopping.set()
        self.join(10)
        self.client.close()


def settled(client, confidences, seconds=20):
    """The journal once it holds so many confidences."""
    deadline = time.monotonic() + seconds
    while True:
        journal = {event.sequence: event for event in client.history()}
        made = sum(isinstance(event, ConfidenceEvent) for event in journal.values())
        if made >= confidences:
            return journal
        assert time.monotonic() < deadline, f"{made} of {confidences} signals"
        time.sleep(0.1)


def check_journal(journal, acknowledged):
    """Every acknowledged (symbol, close time) was signalled, and once.

    Args:
        journal: events by sequence.
        acknowledged: what the publisher was told is durable.
    """
    assert sorted(journal) == list(range(min(journal), max(journal) + 1)), "the journal has holes"
    signalled = [(e.symbol, e.bar_close_time) for e in journal.values() if isinstance(e, ConfidenceEvent)]
    assert len(signalled) == len(set(signalled)), "a bar was signalled twice"
    missing = set(acknowledged) - set(signalled)
    assert not missing, f"acknowledged bars without a signal: {sorted(missing)[:3]}"


def check(follower, journal, wanted=lambda event: True, *, conflated=False, gaps=False):
    """One client's history against the journal.

    Args:
        follower: who recorded it.
        journal: events by sequence.
        wanted: its filter.
        conflated: whether confidences may be replaced by later ones.
        gaps: whether the journal was cut off while it was away.
    """
    sequences = [event.sequence for event in follower.events]
    _ordered_and_unique(sequences)
    _nothing_invented(follower.events, journal, wanted)
    _gaps_only_when_due(follower.notices, gaps)
    must = sorted(
        sequence
        for sequence, event in journal.items()
        if wanted(event) and (not conflated or isinstance(event, BuyEvent | OutcomeEvent))
    )
    if not gaps:
        assert set(sequences) >= set(must), "acknowledged and not delivered"
        _bookmarks_true(follower.bookmarks, sequences, must)
    if conflated:
        last = {
            e.symbol: s for s, e in sorted(journal.items()) if isinstance(e, ConfidenceEvent) and wanted(e)
        }
        assert set(last.values()) <= set(sequences), "conflation must end on the latest"


def _ordered_and_unique(sequences):
    assert sequences == sorted(sequences), "out of order"
    assert len(sequences) == len(set(sequences)), "twice"


def _nothing_invented(events, journal, wanted):
    for event in events:
        assert event == journal[event.sequence], "not what was journalled"
        assert wanted(event), "not what was asked for"


def _gaps_only_when_due(notices, due):
    assert due or not [notice for notice in notices if isinstance(notice, SequenceGap)]
    results = {notice.result.name for notice in notices if isinstance(notice, Opened)}
    assert results <= {"STARTED", "RESUMED"}


def _bookmarks_true(bookmarks, sequences, must):
    """What had to be delivered up to a bookmark was, when it was given."""
    position, seen = 0, set()
    for count, through in bookmarks:
        seen.update(sequences[position:count])
        position = count
        missing = [sequence for sequence in must if sequence <= through and sequence not in seen]
        assert not missing, f"through {through} was claimed without {missing[:3]}"
