"""Inspection of bars before training."""

import polars as pl

from glasstape_server.market.verdict_kinds import RowVerdict
from glasstape_server.market.verdict_report import MAX_EXAMPLES, timestamp
from glasstape_server.market.verdicts import COLUMN, ordered, usable, with_verdicts
from glasstape_server.training.data_checks import (
    FlaggedRows,
    check_filled,
    check_gaps,
    check_interval,
    check_length,
    check_levels,
    check_stale_runs,
    check_verdicts,
    check_volume,
    check_volume_regimes,
)
from glasstape_server.training.data_report import KINDS, DataReport, Finding

FEW = 3
"""Least number of findings of a kind that is rejected by its share: one large move of a short series is none."""


class DataInspection:
    """Inspects bars frame by frame; each frame holds whole symbols."""

    def __init__(self, interval: str, min_bars: int = 0) -> None:
        """Begin an inspection.

        Args:
            interval: expected interval of the bars.
            min_bars: bars that one labeled window requires.
        """
        self._interval, self._min_bars = interval, min_bars
        self._bars, self._symbols = 0, 0
        self._first, self._last = 1 << 62, 0
        self._flagged: dict[str, list[FlaggedRows]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Inspect a frame, as read by `market.files`; its optional columns file and row locate the findings."""
        if frame.is_empty():
            return
        judged = with_verdicts(ordered(frame))
        known = _neighbors(judged.filter(pl.col(COLUMN) <= RowVerdict.HALTED))
        traded = known
        if known.filter(~usable(pl.col(COLUMN))).height:
            traded = _neighbors(known.filter(usable(pl.col(COLUMN))))
        self._bars += frame.height
        self._symbols += frame["symbol"].n_unique()
        times = frame["close_time"]
        self._first = min(self._first, int(times.min()))  # type: ignore[arg-type]
        self._last = max(self._last, int(times.max()))  # type: ignore[arg-type]
        for flagged in (
            *check_verdicts(judged, self._interval),
            *check_interval(known, self._interval),
            *check_gaps(known, self._interval),
            *check_length(traded, self._min_bars),
            *check_volume(traded),
            *check_levels(traded),
            *check_filled(traded),
            *check_stale_runs(traded),
            *check_volume_regimes(traded),
        ):
            self._flagged.setdefault(flagged.kind, []).append(flagged)

    def report(self) -> DataReport:
        """Return the findings so far.

        Raises:
            ValueError: there are no bars.
        """
        if not self._bars:
            raise ValueError("data: there are no bars")
        findings = [self._combined(parts) for parts in self._flagged.values()]
        return DataReport(
            symbols=self._symbols,
            bars=self._bars,
            first=timestamp(self._first),
            last=timestamp(self._last),
            findings=tuple(sorted(findings, key=lambda each: (not each.rejects, KINDS.index(each.kind)))),
        )

    def _combined(self, parts: list[FlaggedRows]) -> Finding:
        count = sum(part.count for part in parts)
        symbols = tuple(sorted({symbol for part in parts for symbol in part.symbols}))
        limit = parts[0].limit
        rejects = count > limit * self._bars and (not limit or count >= FEW)
        if parts[0].kind == "short":
            rejects = len(symbols) >= self._symbols
        examples = tuple(example for part in parts for example in part.examples)[:MAX_EXAMPLES]
        return Finding(parts[0].kind, rejects, count, examples, symbols, parts[0].text)


def _neighbors(bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars by symbol and time with the close before each and the time since."""
    return bars.with_columns(
        before=pl.col("close").shift(1).over("symbol"),
        apart=pl.col("close_time") - pl.col("close_time").shift(1).over("symbol"),
    )


def inspect(frame: pl.DataFrame, interval: str, min_bars: int = 0) -> DataReport:
    """Inspect one frame; see `DataInspection`.

    Raises:
        ValueError: there are no bars.
    """
    inspection = DataInspection(interval, min_bars)
    if not frame.is_empty():
        inspection.add(frame)
    return inspection.report()
