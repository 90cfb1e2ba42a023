"""Reports of verdicts: rows grouped by kind, with count, first rows and remedy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
from glasstape.symbols import MAX_LENGTH, is_symbol

from glasstape_server.domain.bars import Bar
from glasstape_server.market.rules import broken_rules
from glasstape_server.market.verdict_kinds import KINDS, VerdictKind
from glasstape_server.market.verdicts import COLUMN, VALUES

MAX_EXAMPLES = 3
"""Rows that a group names."""


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """Rows of one kind."""

    kind: VerdictKind
    count: int
    examples: tuple[str, ...]
    """Symbol, time and place in the file of the first rows; of the first one, also the rule that it breaks."""
    symbols: tuple[str, ...]
    remedy: str

    def to_text(self) -> str:
        """Return one line."""
        return f"{self.count:,} {self.kind.text}; {self.remedy} (first: {'; '.join(self.examples)})"


def verdict_groups(judged: pl.DataFrame, interval: str) -> Iterator[VerdictGroup]:
    """Yield the kinds of rows that are not good, most severe first.

    Args:
        judged: bars with verdicts, as `with_verdicts` returns them; their optional columns file and row locate them.
        interval: of the bars.
    """
    counts = dict(judged[COLUMN].value_counts().iter_rows())
    for kind in KINDS:
        if not sum(counts.get(int(verdict), 0) for verdict in kind.verdicts):
            continue
        rows = judged.filter(pl.col(COLUMN).is_in([int(verdict) for verdict in kind.verdicts]))
        first, *others = rows.head(MAX_EXAMPLES).iter_rows(named=True)
        examples = (_with_rule(first, interval), *map(location, others))
        symbols = tuple(rows["symbol"].unique().sort().to_list())
        remedy = _renaming(symbols[0]) if kind.name == "symbol" else kind.remedy
        yield VerdictGroup(kind, rows.height, examples, symbols, remedy)


def location(row: Mapping[str, object]) -> str:
    """Return symbol, time and, if known, file and row."""
    place = f" ({row['file']} row {row['row']})" if "row" in row else ""
    return f"{row['symbol']} {timestamp(int(str(row['close_time']))):%Y-%m-%d %H:%M} UTC{place}"


def timestamp(microseconds: int) -> datetime:
    """Return a Unix time in microseconds as a datetime; works for any year from 1."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _with_rule(row: Mapping[str, object], interval: str) -> str:
    open_, high, low, close, volume = (float(str(row[name])) for name in VALUES)
    time = int(str(row["close_time"]))
    broken = broken_rules(Bar(str(row["symbol"]), interval, time, open_, high, low, close, volume))
    rules = "; ".join(f"{violation.field} {violation.rule}" for _, violation in broken)
    return f"{location(row)}{': ' if rules else ''}{rules}"


def _renaming(symbol: str) -> str:
    better = "".join(letter if is_symbol(f"A{letter}") else "-" for letter in symbol).strip("-")[:MAX_LENGTH]
    return f"rename it, for example with --rename {symbol}={better}" if is_symbol(better) else "rename it"
