"""One line about many files of bars."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What several files hold."""

    files: int
    symbols: int
    bars: int
    first: int
    """Earliest close, microseconds since 1970."""
    last: int
    """Latest close."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that hold no bar and are left out, by kind of their problem."""

    def to_text(self) -> str:
        """Return one line."""
        parts = [
            _count(self.files, "file"),
            _count(self.symbols, "symbol"),
            _count(self.bars, "bar"),
            f"closes from {_time(self.first)} to {_time(self.last)} UTC",
        ]
        if self.left_out:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.left_out.most_common())
            parts.append(f"{_count(self.left_out.total(), 'row')} left out ({kinds})")
        return ", ".join(parts)


def shown_notes(notes: Sequence[str], summary: FileSummary, *, verbose: bool) -> Sequence[str]:
    """Return what a command prints about its files: the notes of a single file, one line for several.

    Args:
        notes: how each file was understood.
        summary: of all files.
        verbose: whether to return the notes of several files, too.
    """
    if summary.files == 1:
        return notes
    if verbose:
        return [*notes, summary.to_text()]
    return [f"{summary.to_text()} (--verbose: how each file was read)"]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(close: int) -> str:
    return f"{datetime.fromtimestamp(close / _SECOND, UTC):%Y-%m-%d %H:%M}"
