"""What remains to be done with the bars that are stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backlog:
    """Bars and signals whose turn has not come yet."""

    bars: int
    """Stored bars whose signals are not published yet."""
    open_signals: int
    """Published signals without an outcome."""
