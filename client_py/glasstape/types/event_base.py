"""What every event has, and its flat row for data frames and files."""

from dataclasses import dataclass
from datetime import datetime

from glasstape.types.enums import EventKind
from glasstape.types.inference import Confidence, ModelRef

RowValue = str | int | float | bool | datetime | None
"""A cell. Times are in UTC with their time zone; None: the kind of event has no such value."""

ROW_COLUMNS = (
    "sequence", "kind", "symbol", "interval", "bar_close_time", "publish_time", "model", "version", "digest",
    "direction", "down", "flat", "up", "abstained", "novelty", "close", "expire_time", "data_state",
    "confidence_sequence", "realized", "realized_return", "hit",
    "missing_bars", "rank_score", "close_rank", "close_size",
)  # fmt: skip
"""Columns of `event.row()`, the same for every kind, as `glasstape export` writes them.

`kind` and `data_state` are the text of their enum, `direction` and `realized` DOWN, FLAT or UP. `close` is that of the
signal's bar. An outcome has the direction and probabilities of its signal.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBase:
    """What every entry of the journal has."""

    sequence: int
    """Position in the journal, from 1."""
    symbol: str
    """Symbol of the instrument."""
    interval: str
    """Bar interval, for example "1d"."""
    bar_close_time: datetime
    """Market time."""
    publish_time: datetime
    """Wall time of the commit."""
    model: ModelRef
    """The model version that made the signal."""
    snapshot: bool = False
    """Part of a snapshot: it may have been delivered before."""

    def _row(self, kind: EventKind, confidence: Confidence, **values: RowValue) -> dict[str, RowValue]:
        """Return a row; columns that are not given are None.

        Args:
            kind: of the event.
            confidence: of its signal.
            values: columns that this kind has.
        """
        return {
            **dict.fromkeys(ROW_COLUMNS),
            "sequence": self.sequence,
            "kind": kind.value,
            "symbol": self.symbol,
            "interval": self.interval,
            "bar_close_time": self.bar_close_time,
            "publish_time": self.publish_time,
            "model": self.model.name,
            "version": self.model.version,
            "digest": self.model.digest,
            "direction": confidence.direction.name,
            "down": confidence.down,
            "flat": confidence.flat,
            "up": confidence.up,
            "abstained": confidence.abstained,
            "novelty": confidence.novelty,
            **values,
        }
