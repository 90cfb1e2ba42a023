"""A look at bars before anything learns from them: what would poison training is refused, the rest is named.

Users of other systems were hurt by splits that nobody adjusted, bars that stood twice, and columns that meant
something else: none of these fails, all of them train.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from glasstape_server.domain import INTERVALS, SECOND

JUMP = 0.30
"""Relative move from one close to the next beyond which a bar is named."""
SPLITS = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 25.0, 50.0, 100.0, 1.5)
"""Ratios of share splits; their inverses are reverse splits."""
NEAR = 0.01
"""Relative distance at which a jump looks like a split."""
TOO_MANY_JUMPS = 0.01
"""Share of bars beyond which jumps are not news but a wrong column."""
STALE_RUN = 10
"""Equal closes in a row, with volume, after which a price is called stale."""
HALTED_SHARE = 0.5
BAND = 1e-3
"""Relative distance by which open or close may lie outside low and high: rounding of adjusted prices."""
REGIME_BARS = 60
NAMED = 6
"""Symbols that a line names."""
REGIME = 50.0
"""Factor between the median volumes of two stretches that makes a break."""
LONG_GAPS = {"d": 10, "w": 30}
"""Days without a bar that make a gap, by unit of the interval; within a day: any missing bar."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of trouble."""

    kind: str
    refuses: bool
    """Whether training on it would teach something that is not there."""
    count: int
    """Bars (or runs, or symbols) that have it."""
    example: str
    symbols: tuple[str, ...]
    text: str
    """What it is, and what to do about it."""

    def to_text(self) -> str:
        """One line."""
        named = ", ".join(self.symbols[:NAMED]) + (" …" if len(self.symbols) > NAMED else "")
        mark = "REFUSED" if self.refuses else "noted"
        return f"  {mark:<7} {self.kind}: {self.count:,} {self.text} (in {named}; first: {self.example})"


@dataclass(frozen=True, slots=True)
class DataReport:
    """What was found, worst first."""

    symbols: int
    bars: int
    first: datetime
    last: datetime
    findings: tuple[Finding, ...]

    def refused(self, accepted: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
        """What stands in the way of training."""
        return tuple(found for found in self.findings if found.refuses and found.kind not in accepted)

    def to_text(self) -> str:
        """The report, a line for each finding."""
        head = (
            f"{self.bars:,} bars of {self.symbols:,} symbols, {self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        )
        if not self.findings:
            return f"{head}: nothing unusual"
        return "\n".join([head, *(found.to_text() for found in self.findings)])


KINDS = (
    "interval",
    "duplicate",
    "price",
    "band",
    "volume",
    "jump",
    "split",
    "halted",
    "stale",
    "gap",
    "regime",
)


def inspect(frame: pl.DataFrame, interval: str) -> DataReport:
    """Look at bars.

    Args:
        frame: as `market.files.read_bars` gives them.
        interval: what their length is said to be.

    Raises:
        ValueError: there are no bars.
    """
    if frame.is_empty():
        raise ValueError("data: there are no bars")
    ordered = frame.sort("symbol", "close_time").with_columns(
        before=pl.col("close").shift(1).over("symbol"),
        apart=(pl.col("close_time") - pl.col("close_time").shift(1).over("symbol")),
    )
    findings = [
        *_interval(ordered, interval),
        *_rows(ordered),
        *_jumps(ordered),
        *_runs(ordered),
        *_gaps(ordered, interval),
        *_regimes(ordered),
    ]
    times = frame["close_time"].to_numpy()
    return DataReport(
        symbols=frame["symbol"].n_unique(),
        bars=frame.height,
        first=_moment(int(times.min())),
        last=_moment(int(times.max())),
        findings=tuple(sorted(findings, key=lambda found: not found.refuses)),
    )


def _interval(ordered: pl.DataFrame, interval: str) -> Iterator[Finding]:
    typical = ordered.filter(pl.col("apart") > 0)["apart"].median()
    if isinstance(typical, int | float) and not 0.5 <= typical / INTERVALS[interval] <= 5:
        minutes = typical / (60 * SECOND)
        text = f"bars are {minutes:,.0f} minutes apart in the median, --interval says {interval}; give the right one"
        yield from _found(ordered, "interval", text)


def _rows(ordered: pl.DataFrame) -> Iterator[Finding]:
    prices = ("open", "high", "low", "close")
    wrong = pl.any_horizontal(*(~pl.col(name).is_finite() | (pl.col(name) <= 0) for name in prices))
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    outside = (pl.col("high") < top * (1 - BAND)) | (pl.col("low") > bottom * (1 + BAND))
    flat = (pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))
    yield from _found(ordered.filter(pl.col("apart") == 0), "duplicate", "bars stand twice; keep one of each")
    yield from _found(
        ordered.filter(wrong), "price", "bars have a price that is not positive; remove or mend them"
    )
    broken = ordered.filter(outside & ~wrong)
    text = (
        "bars have an open or close outside low and high; columns may be mixed up, or not all prices adjusted"
    )
    yield from _found(broken, "band", text, refuses=broken.height > 0.001 * ordered.height)
    text = "bars have a volume that is negative or no number; fill it, or leave the symbol out"
    yield from _found(ordered.filter(~pl.col("volume").is_finite() | (pl.col("volume") < 0)), "volume", text)
    halted = ordered.filter(flat)
    text = "bars without trades; they teach that nothing happens"
    yield from _found(halted, "halted", text, refuses=halted.height > HALTED_SHARE * ordered.height)


def _jumps(ordered: pl.DataFrame) -> Iterator[Finding]:
    priced = ordered.filter((pl.col("close") > 0) & (pl.col("before") > 0) & (pl.col("open") > 0))
    moved = priced.with_columns(ratio=pl.col("close") / pl.col("before")).filter(
        (pl.col("ratio") > 1 + JUMP) | (pl.col("ratio") < 1 / (1 + JUMP))
    )
    if moved.is_empty():
        return
    ratios = moved["ratio"].to_numpy()
    larger = np.maximum(ratios, 1 / ratios)
    # A split moves the open as much as the close; news seldom does so to the percent.
    opened = (moved["open"] / moved["before"]).to_numpy()
    opened = np.maximum(opened, 1 / opened)
    like = np.zeros(len(ratios), dtype=bool)
    for split in SPLITS:
        like |= (np.abs(larger / split - 1) < 4 * NEAR) & (np.abs(opened / split - 1) < NEAR)
    text = "closes look like splits that nobody adjusted; use a file with an adjusted close"
    yield from _found(moved.filter(pl.Series(like)), "split", text)
    rest = moved.filter(pl.Series(~like))
    text = f"closes moved by more than {JUMP:.0%} from the one before; check them against the news"
    yield from _found(rest, "jump", text, refuses=rest.height > TOO_MANY_JUMPS * ordered.height)


def _runs(ordered: pl.DataFrame) -> Iterator[Finding]:
    same = (pl.col("close") == pl.col("before")) & (pl.col("volume") > 0)
    numbered = ordered.with_columns(same=same.fill_null(False)).with_columns(
        run=(~pl.col("same")).cum_sum().over("symbol")
    )
    runs = numbered.group_by("symbol", "run", maintain_order=True).agg(
        pl.len().alias("length"), pl.col("close_time").first()
    )
    text = f"times a close stood still for {STALE_RUN} bars or more although it was traded; the feed may have hung"
    yield from _found(runs.filter(pl.col("length") > STALE_RUN), "stale", text, refuses=False)


def _gaps(ordered: pl.DataFrame, interval: str) -> Iterator[Finding]:
    days = LONG_GAPS.get(interval[-1])
    if days is not None:
        text = f"times there was no bar for more than {days} days"
        longest = days * 86_400 * SECOND
        missing = ordered.filter(pl.col("apart") > longest)
    else:
        text = "times bars are missing within a day"
        missing = ordered.filter(
            (pl.col("apart") > INTERVALS[interval]) & (pl.col("apart") < 6 * 3600 * SECOND)
        )
    yield from _found(missing, "gap", text, refuses=False)


def _regimes(ordered: pl.DataFrame) -> Iterator[Finding]:
    stretches = (
        ordered.with_columns(stretch=pl.int_range(pl.len()).over("symbol") // REGIME_BARS)
        .group_by("symbol", "stretch", maintain_order=True)
        .agg(pl.col("volume").median(), pl.col("close_time").first(), pl.len().alias("length"))
        .filter(pl.col("length") == REGIME_BARS)
        .with_columns(earlier=pl.col("volume").shift(1).over("symbol"))
    )
    factor = pl.max_horizontal(pl.col("volume") / pl.col("earlier"), pl.col("earlier") / pl.col("volume"))
    broken = stretches.filter((pl.col("volume") > 0) & (pl.col("earlier") > 0) & (factor > REGIME))
    text = f"times the usual volume changed {REGIME:.0f}-fold; its unit may have changed"
    yield from _found(broken, "regime", text, refuses=False)


def _found(rows: pl.DataFrame, kind: str, text: str, *, refuses: bool = True) -> Iterator[Finding]:
    if rows.height:
        first, symbols = rows.row(0, named=True), rows["symbol"].unique().sort().to_list()
        yield Finding(kind, refuses, rows.height, _name(first), tuple(symbols), text)


def _name(row: dict[str, object]) -> str:
    return f"{row['symbol']} {_moment(int(str(row['close_time']))):%Y-%m-%d %H:%M} UTC"


def _moment(time: int) -> datetime:
    return datetime.fromtimestamp(time / SECOND, UTC)
