"""Checks of bars for problems that training would not notice: invalid rows, unadjusted splits, swapped columns."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from glasstape_server.domain.times import INTERVALS, SECOND
from glasstape_server.market.clock import wall_time
from glasstape_server.market.rules import CLOCK_TOLERANCE, MAX_STEP
from glasstape_server.market.verdict_report import MAX_EXAMPLES, location, verdict_groups
from glasstape_server.training.filled_bars import filled
from glasstape_server.training.level_changes import JUMP, off_scale, split_text, splits

MAX_JUMP_SHARE = 0.01
"""Share of bars above which jumps indicate a wrong column."""
STALE_RUN = 10
"""Equal closes in a row, with volume, that make a price stale."""
NO_TRADE_SHARE = 0.5
"""Share of bars without trades above which the data is rejected."""
FILLED_SHARE = 0.001
"""Share of bars above which filled ones reject the data."""
REGIME_BARS = 60
"""Bars per segment."""
REGIME = 50.0
"""Factor between the median volumes of two segments that counts as a change."""
LONG_GAPS = {"d": 10, "w": 30}
"""Days without a bar that make a gap, by unit of the interval; for shorter intervals, any missing bar of a day."""

_FIRST_ROW = pl.col("^(close_time|file|row)$").first()


@dataclass(frozen=True, slots=True)
class FlaggedRows:
    """Rows of one frame that have one kind of problem."""

    kind: str
    limit: float
    """Share of all bars above which the data is rejected; infinite for never."""
    count: int
    examples: tuple[str, ...]
    """Symbol, time and, if known, file and row of the first."""
    symbols: tuple[str, ...]
    text: str


def check_interval(ordered: pl.DataFrame, interval: str) -> Iterator[FlaggedRows]:
    """Yield bars whose distances do not match the interval."""
    # Segment by segment, so that a change of the interval within a file is detected.
    typical = pl.col("apart").filter(pl.col("apart") > 0).median().over("symbol", "segment")
    segmented = ordered.with_columns(segment=pl.int_range(pl.len()).over("symbol") // REGIME_BARS)
    length = INTERVALS[interval]
    wrong = segmented.with_columns(typical=typical).filter(
        (pl.col("typical") < 0.5 * length) | (pl.col("typical") > 5 * length)
    )
    if wrong.height:
        minutes = float(wrong["typical"][0]) / (60 * SECOND)
        text = f"bars are {minutes:,.0f} minutes apart in the median, --interval is {interval}; correct --interval"
        yield from _rows(wrong, "interval", text)


def check_verdicts(judged: pl.DataFrame, interval: str) -> Iterator[FlaggedRows]:
    """Yield rows that a server rejects or leaves out, and bars without trades.

    Args:
        judged: rows with verdicts, by symbol and time.
        interval: of the bars.
    """
    for group in verdict_groups(judged, interval):
        limit = 0.0 if group.kind.rejected else math.inf
        limit = NO_TRADE_SHARE if group.kind.name == "no-trade" else limit
        text = f"{group.kind.text}; {group.remedy}"
        yield FlaggedRows(group.kind.name, limit, group.count, group.examples, group.symbols, text)
    late = judged.filter(pl.col("close_time") > wall_time() + CLOCK_TOLERANCE)
    yield from _rows(late, "future", "bars have not closed yet; correct their dates or --time-zone")


def check_volume(bars: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield bars of symbols without any volume."""
    empty = bars.filter((pl.col("volume") == 0).all().over("symbol"))
    text = "bars are of symbols without any volume; the feature relative_volume is constant there"
    yield from _rows(empty, "untraded", text, math.inf)


def check_levels(bars: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield prices off by orders of magnitude, unadjusted splits, and other large moves.

    Args:
        bars: usable bars by symbol and time, with the close before each in `before`.
    """
    off = pl.Series(off_scale(bars))
    text = (
        f"bars have a price {MAX_STEP:g} or more times that of the bars around them; "
        "correct the decimal point or the unit"
    )
    yield from _rows(bars.filter(off), "scale", text)
    if off.any():
        before = pl.col("close").shift(1).over("symbol")
        bars = bars.filter(~off).with_columns(before=before)
    first, ratios = splits(bars)
    changed = bars[first]
    text = "times the price level changed as by a split; adjust the bars before, or use a file with an adjusted close"
    notes = [f": {split_text(ratio)}" for ratio in ratios[:MAX_EXAMPLES]]
    yield from _rows(changed, "split", text, notes=notes)
    like_splits = np.zeros(bars.height, dtype=bool)
    like_splits[first] = True
    ratio = pl.col("close") / pl.col("before")
    moved = (ratio > 1 + JUMP) | (ratio < 1 / (1 + JUMP))
    rest = bars.filter(moved.fill_null(False) & ~pl.Series(like_splits))
    text = f"closes moved by more than {JUMP:.0%} from the previous close; verify them"
    yield from _rows(rest, "jump", text, MAX_JUMP_SHARE)


def check_filled(bars: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield bars that were filled in where nothing was traded.

    Args:
        bars: usable bars by symbol and time, with the close before each in `before`.
    """
    text = (
        "bars repeat the price before, and it mostly stays: closed or halted intervals that were filled in; "
        "windows over them are FLAT by themselves, which is no skill; remove them"
    )
    yield from _rows(bars.filter(pl.Series(filled(bars))), "filled", text, FILLED_SHARE)


def check_stale_runs(ordered: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield runs of equal closes with volume."""
    same = (pl.col("close") == pl.col("before")) & (pl.col("volume") > 0)
    numbered = ordered.with_columns(same=same.fill_null(False)).with_columns(
        run=(~pl.col("same")).cum_sum().over("symbol")
    )
    runs = numbered.group_by("symbol", "run", maintain_order=True).agg(pl.len().alias("length"), _FIRST_ROW)
    text = f"times a close did not change for {STALE_RUN} bars or more despite volume; the source may have stalled"
    yield from _rows(runs.filter(pl.col("length") > STALE_RUN), "stale", text, math.inf)


def check_gaps(ordered: pl.DataFrame, interval: str) -> Iterator[FlaggedRows]:
    """Yield bars after a gap."""
    days = LONG_GAPS.get(interval[-1])
    if days is not None:
        text = f"times no bar for more than {days} days"
        longest = days * 86_400 * SECOND
        missing = ordered.filter(pl.col("apart") > longest)
    else:
        text = "times missing bars within a day"
        missing = ordered.filter(
            (pl.col("apart") > INTERVALS[interval]) & (pl.col("apart") < 6 * 3600 * SECOND)
        )
    yield from _rows(missing, "gap", text, math.inf)


def check_volume_regimes(ordered: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield segments whose median volume differs from the previous one's by a large factor."""
    segments = (
        ordered.with_columns(segment=pl.int_range(pl.len()).over("symbol") // REGIME_BARS)
        .group_by("symbol", "segment", maintain_order=True)
        .agg(pl.col("volume").median(), _FIRST_ROW, pl.len().alias("length"))
        .filter(pl.col("length") == REGIME_BARS)
        .with_columns(earlier=pl.col("volume").shift(1).over("symbol"))
    )
    factor = pl.max_horizontal(pl.col("volume") / pl.col("earlier"), pl.col("earlier") / pl.col("volume"))
    changed = segments.filter((pl.col("volume") > 0) & (pl.col("earlier") > 0) & (factor > REGIME))
    text = f"times the median volume changed {REGIME:.0f}-fold; its unit may have changed"
    yield from _rows(changed, "regime", text, math.inf)


def check_length(ordered: pl.DataFrame, min_bars: int) -> Iterator[FlaggedRows]:
    """Yield bars of symbols with fewer than `min_bars` bars."""
    short = ordered.filter(pl.len().over("symbol") < min_bars)
    text = f"bars are of symbols with fewer than {min_bars} bars, which one labeled window requires; they are ignored"
    yield from _rows(short, "short", text, math.inf)


def _rows(
    rows: pl.DataFrame, kind: str, text: str, limit: float = 0.0, notes: Sequence[str] = ()
) -> Iterator[FlaggedRows]:
    if rows.height:
        first = [location(row) for row in rows.head(MAX_EXAMPLES).iter_rows(named=True)]
        examples = tuple(map("".join, zip(first, notes, strict=True))) if notes else tuple(first)
        symbols = rows["symbol"].unique().sort().to_list()
        yield FlaggedRows(kind, limit, rows.height, examples, tuple(symbols), text)
