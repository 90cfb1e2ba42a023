"""What a close appends to the journal, by column."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Kind, ModelRef
from glasstape_server.signals.columns import Outcomes, Signals
from glasstape_server.signals.journal.batch import EventBatch, event_id
from glasstape_server.signals.journal.chain import Columns


class CloseBatch(EventBatch):
    """The events of a close: outcomes first, then signals, each confidence followed by its buy."""

    def __init__(
        self,
        signals: Signals,
        outcomes: Outcomes,
        progress: Mapping[SeriesKey, int],
        publish_time: int,
        encode: "Callable[[CloseBatch, int], list[bytes]]",
    ) -> None:
        """Take a decided close.

        Args:
            signals: their positions follow those of the outcomes.
            outcomes: at the positions from 1 on.
            progress: close time of the newest processed bar of each series, microseconds.
            publish_time: wall time, microseconds since 1970, UTC.
            encode: the bytes of the events that follow a sequence; must be a pure function.
        """
        super().__init__(signals.closed.windows, progress)
        self.signals = signals
        self.outcomes = outcomes
        self.publish_time = publish_time
        self._encode = encode
        is_buy = signals.is_buy
        self._source = np.repeat(np.arange(len(signals)), 1 + is_buy)
        """Signal of each event that is no outcome."""
        kinds = np.full(len(self._source), Kind.CONFIDENCE)
        kinds[signals.position[is_buy] - len(outcomes)] = Kind.BUY
        self._kinds = [Kind.OUTCOME] * len(outcomes) + [Kind(kind) for kind in kinds.tolist()]

    def __len__(self) -> int:
        """See `EventBatch`."""
        return len(self._kinds)

    @property
    def resolved(self) -> list[int]:
        """See `EventBatch.resolved`."""
        sequences: list[int] = self.outcomes.confidence_sequence.tolist()
        return sequences

    def _event_ids(self) -> list[bytes]:
        outcomes, signals = self.outcomes, self.signals
        times = np.concatenate([outcomes.signal_close_time, signals.closed.close_time[self._source]])
        return [
            event_id(model.digest, key, time, kind)
            for model, key, time, kind in zip(
                self._models, self._keys, times.tolist(), self._kinds, strict=True
            )
        ]

    def _rows(self, head: int) -> Sequence[Columns]:
        outcomes, signals, source = self.outcomes, self.signals, self._source
        winning = np.concatenate([outcomes.confidences.winning, signals.confidences.winning[source]])
        expire = [0] * len(outcomes) + signals.closed.expire_time[source].tolist()
        return list(
            zip(
                range(head + 1, head + 1 + len(self)), self.event_ids, self._kinds,
                [symbol for symbol, _ in self._keys], [interval for _, interval in self._keys],
                self._models, winning.tolist(), expire, self._encode(self, head), strict=True,
            )
        )  # fmt: skip

    @property
    def _keys(self) -> list[SeriesKey]:
        closed = self.signals.closed
        return [*self.outcomes.keys, *(closed.keys[row] for row in self._source.tolist())]

    @property
    def _models(self) -> list[ModelRef]:
        return [*self.outcomes.models, *[self.signals.model] * len(self._source)]
