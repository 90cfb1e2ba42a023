"""What `glasstape follow` has done: counters, and the state for metrics and the health file."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from glasstape.replacing import replacing


class FollowState(StrEnum):
    """What a follower does now."""

    STARTING = "starting"
    LIVE = "live"
    DISCONNECTED = "disconnected"
    """No live connection to the market; it is tried again."""
    SERVER_UNAVAILABLE = "server_unavailable"
    """The Glasstape server does not accept bars; it is tried again."""
    STOPPED = "stopped"


@dataclass(slots=True)
class FollowStats:
    """Counters of one run, and the newest bar of each symbol."""

    state: FollowState = FollowState.STARTING
    last_error: str = ""
    last_close: dict[str, datetime] = field(default_factory=dict)
    """Close of the newest final bar on the server, by symbol."""
    market_time: datetime | None = None
    bars: Counter[str] = field(default_factory=Counter)
    """Published bars by result: final, backfill, provisional, replaced, rejected."""
    revisions: Counter[str] = field(default_factory=Counter)
    """Bars that came after their time: late, corrected."""
    reconnects: int = 0
    duplicates: int = 0
    missing: int = 0
    """Bars that the market did not have when they were requested twice."""
    dropped: list[str] = field(default_factory=list)
    """Symbols that the market removed."""

    @property
    def lag(self) -> float | None:
        """Return the seconds from the newest final bar of any symbol to the market's time; None: unknown."""
        if self.market_time is None or not self.last_close:
            return None
        return (self.market_time - max(self.last_close.values())).total_seconds()

    def to_json(self) -> dict[str, object]:
        """Return the health document."""
        return {
            "state": str(self.state),
            "last_error": self.last_error,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "market_time": self.market_time.isoformat() if self.market_time else None,
            "lag_seconds": self.lag,
            "last_close": {symbol: close.isoformat() for symbol, close in sorted(self.last_close.items())},
            "bars": dict(sorted(self.bars.items())),
            "revisions": dict(sorted(self.revisions.items())),
            "reconnects": self.reconnects,
            "duplicates": self.duplicates,
            "missing": self.missing,
            "dropped": self.dropped,
        }


def write_health(stats: FollowStats, path: Path) -> None:
    """Replace the health file.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path, durable=False) as draft:
        draft.write_text(json.dumps(stats.to_json(), indent=1) + "\n", encoding="utf-8")
