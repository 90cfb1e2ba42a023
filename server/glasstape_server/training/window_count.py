"""How many bars end a labeled window, and why the others do not."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

CAUSES = ("look-back", "split", "horizon", "unknown prices")
"""Too few bars before; a session that ends within the window; a future that is unknown; prices that make no feature."""


@dataclass(slots=True)
class WindowCount:
    """Bars and windows of a data set."""

    bars: int = 0
    """Rows of the data."""
    windows: int = 0
    """Of these, with a labeled window."""
    lost: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(CAUSES, 0)))
    """The others, by cause: each bar has one. Besides `CAUSES`, kinds of rows that are left out."""
    across_gaps: int = 0
    """Windows across bars that were left out: halted, without trades or rejected."""
    longest_series: int = 0
    """Most bars of one symbol."""
    longest_session: int = 0
    """Most bars of one trading day, with `session_gap = split`."""

    def add(self, bars: int, windows: int, lost: Mapping[str, int], across_gaps: int) -> None:
        """Add the bars of one symbol."""
        self.bars += bars
        self.windows += windows
        self.lost.update(lost)
        self.across_gaps += across_gaps

    def to_text(self) -> str:
        """Return one line."""
        text = f"windows: {self.windows:,} of {self.bars:,} bars"
        causes = [f"{cause} {count:,}" for cause, count in self.lost.items() if count]
        if causes:
            text += f"; lost to: {', '.join(causes)}"
        if self.across_gaps:
            text += f"; {self.across_gaps:,} windows span bars that were left out"
        return text
