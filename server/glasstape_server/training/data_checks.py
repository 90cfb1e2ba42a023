"""Checks of bars for problems that training would not notice: unadjusted splits, duplicates, swapped columns."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from glasstape.symbols import SYMBOL_PATTERN, SYMBOL_RULE

from glasstape_server.domain.times import DAY, INTERVALS, SECOND

EARLIEST = -25_567 * DAY
"""1900-01-01."""
JUMP = 0.30
"""Relative move from one close to the next that counts as a jump."""
SPLITS = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 25.0, 50.0, 100.0, 1.5)
"""Ratios of share splits; their inverses are reverse splits."""
NEAR = 0.01
"""Relative distance from a split ratio within which a jump looks like a split."""
MAX_JUMP_SHARE = 0.01
"""Share of bars above which jumps indicate a wrong column."""
STALE_RUN = 10
"""Equal closes in a row, with volume, that make a price stale."""
HALTED_SHARE = 0.5
"""Share of bars without trades above which the data is rejected."""
BAND = 1e-3
"""Relative distance by which open or close may lie outside low-high: rounding of adjusted prices."""
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
    example: str
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


def check_values(ordered: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield bars with an invalid symbol, time, price or volume, and bars without trades."""
    prices = ("open", "high", "low", "close")
    wrong = pl.any_horizontal(*(~pl.col(name).is_finite() | (pl.col(name) <= 0) for name in prices))
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    outside = (pl.col("high") < top * (1 - BAND)) | (pl.col("low") > bottom * (1 + BAND))
    flat = (pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))
    valid = pl.col("symbol").str.contains(f"^{SYMBOL_PATTERN}$")
    text = f"bars have an invalid symbol ({SYMBOL_RULE}); rename it"
    yield from _rows(ordered.filter(~valid), "symbol", text)
    implausible = (pl.col("close_time") < EARLIEST) | (pl.col("close_time") > time.time() * SECOND + DAY)
    text = "bars are older than 1900 or in the future; correct their dates"
    yield from _rows(ordered.filter(implausible), "time", text)
    empty = ordered.filter((pl.col("volume") == 0).all().over("symbol"))
    text = "bars are of symbols without any volume; the feature relative_volume is constant there"
    yield from _rows(empty, "untraded", text, math.inf)
    yield from _rows(
        ordered.filter(pl.col("apart") == 0), "duplicate", "bars are duplicates; keep one of each"
    )
    yield from _rows(
        ordered.filter(wrong), "price", "bars have a price that is not positive; remove or correct them"
    )
    inconsistent = ordered.filter(outside & ~wrong)
    text = "bars have an open or close outside low-high; columns may be swapped, or only some prices adjusted"
    yield from _rows(inconsistent, "band", text, 0.001)
    text = "bars have a volume that is negative or not a number; fill it, or leave the symbol out"
    yield from _rows(ordered.filter(~pl.col("volume").is_finite() | (pl.col("volume") < 0)), "volume", text)
    halted = ordered.filter(flat)
    text = "bars without trades; they bias the labels towards FLAT"
    yield from _rows(halted, "halted", text, HALTED_SHARE)


def check_jumps(ordered: pl.DataFrame) -> Iterator[FlaggedRows]:
    """Yield closes that look like unadjusted splits, and other large moves."""
    priced = ordered.filter((pl.col("close") > 0) & (pl.col("before") > 0) & (pl.col("open") > 0))
    moved = priced.with_columns(ratio=pl.col("close") / pl.col("before")).filter(
        (pl.col("ratio") > 1 + JUMP) | (pl.col("ratio") < 1 / (1 + JUMP))
    )
    if moved.is_empty():
        return
    ratios = moved["ratio"].to_numpy()
    larger = np.maximum(ratios, 1 / ratios)
    # A split moves the open as much as the close; news rarely does.
    opened = (moved["open"] / moved["before"]).to_numpy()
    opened = np.maximum(opened, 1 / opened)
    like = np.zeros(len(ratios), dtype=bool)
    for split in SPLITS:
        like |= (np.abs(larger / split - 1) < 4 * NEAR) & (np.abs(opened / split - 1) < NEAR)
    text = "closes look like unadjusted splits; use a file with an adjusted close"
    yield from _rows(moved.filter(pl.Series(like)), "split", text)
    rest = moved.filter(pl.Series(~like))
    text = f"closes moved by more than {JUMP:.0%} from the previous close; verify them"
    yield from _rows(rest, "jump", text, MAX_JUMP_SHARE)


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


def _rows(rows: pl.DataFrame, kind: str, text: str, limit: float = 0.0) -> Iterator[FlaggedRows]:
    if rows.height:
        first, symbols = rows.row(0, named=True), rows["symbol"].unique().sort().to_list()
        yield FlaggedRows(kind, limit, rows.height, _location(first), tuple(symbols), text)


def _location(row: dict[str, object]) -> str:
    place = f" ({row['file']} row {row['row']})" if "row" in row else ""
    return f"{row['symbol']} {timestamp(int(str(row['close_time']))):%Y-%m-%d %H:%M} UTC{place}"


def timestamp(microseconds: int) -> datetime:
    """Return a Unix time in microseconds as a datetime; works for any year from 1."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
