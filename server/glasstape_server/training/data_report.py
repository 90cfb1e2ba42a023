"""Data report: findings of the checks of bars, some of which prevent training."""

from dataclasses import dataclass
from datetime import datetime

from glasstape_server.market.verdict_kinds import REJECTED_KINDS

MAX_NAMED_SYMBOLS = 6
"""Symbols that a line names."""
KINDS = (
    "interval",
    "short",
    "symbol",
    "time",
    "future",
    "conflict",
    "price",
    "band",
    "volume",
    "scale",
    "split",
    "jump",
    "filled",
    "untraded",
    "no-trade",
    "duplicate",
    "halted",
    "stale",
    "gap",
    "regime",
)
"""Kinds of findings, most severe first."""
LEFT_OUT = frozenset(
    {*(kind.name for kind in REJECTED_KINDS), "future", "scale", "split", "filled", "no-trade"}
)
"""Kinds whose bars are left out if they are accepted; of `split`, all bars before the last one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of problem in the data."""

    kind: str
    rejects: bool
    """Whether it prevents training unless accepted."""
    count: int
    """Number of affected bars, runs or segments."""
    examples: tuple[str, ...]
    """Symbol, time and, if known, file and row of the first ones."""
    symbols: tuple[str, ...]
    text: str
    """Description and remedy."""

    def to_text(self) -> str:
        """Return one line."""
        named = ", ".join(self.symbols[:MAX_NAMED_SYMBOLS])
        more = " …" if len(self.symbols) > MAX_NAMED_SYMBOLS else ""
        mark = "REJECTED" if self.rejects else "noted"
        return (
            f"  {mark:<8} {self.kind}: {self.count:,} {self.text} "
            f"(in {named}{more}; first: {'; '.join(self.examples)})"
        )


@dataclass(frozen=True, slots=True)
class DataReport:
    """Findings, most severe first."""

    symbols: int
    bars: int
    first: datetime
    last: datetime
    findings: tuple[Finding, ...]

    def rejected(self, accepted: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
        """Return the findings that prevent training, except accepted kinds."""
        return tuple(each for each in self.findings if each.rejects and each.kind not in accepted)

    def to_text(self) -> str:
        """Return the report, with one line per finding."""
        head = (
            f"{self.bars:,} bars of {self.symbols:,} symbols, {self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        )
        if not self.findings:
            return f"{head}: no findings"
        return "\n".join([head, *(finding.to_text() for finding in self.findings)])
