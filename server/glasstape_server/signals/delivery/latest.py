"""The newest signals: what a stream without a token begins with."""

from collections.abc import Callable, Iterable

from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery.record_batch import ConflationKey, conflation_key
from glasstape_server.signals.journal.records import Record, Selection


class LatestSignals:
    """The latest confidence of each symbol, interval and model name, and the unexpired buys."""

    def __init__(self, now: Callable[[], int]) -> None:
        """Create an empty collection.

        Args:
            now: market time, microseconds.
        """
        self._now = now
        self._confidences: dict[ConflationKey, Record] = {}
        self._buys: dict[int, Record] = {}
        """By sequence."""

    def add(self, records: Iterable[Record]) -> None:
        """Take newer records, in order, and drop what has expired."""
        for record in records:
            if record.kind is Kind.CONFIDENCE:
                self._confidences[conflation_key(record)] = record
            elif record.kind is Kind.BUY:
                self._buys[record.sequence] = record
        now = self._now()
        self._buys = {n: record for n, record in self._buys.items() if record.expire_time > now}

    def snapshot(self, selection: Selection) -> list[Record]:
        """Return those that a selection admits and that have not expired, by sequence."""
        now = self._now()
        buys = [record for record in self._buys.values() if record.expire_time > now]
        admitted = [r for r in (*self._confidences.values(), *buys) if selection.admits(r)]
        return sorted(admitted, key=lambda record: record.sequence)
