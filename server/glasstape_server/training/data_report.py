"""A look at bars before anything learns from them: what would poison training is refused, the rest is named.

Users of other systems were hurt by splits that nobody adjusted, bars that stood twice, and columns that meant
something else: none of these fails, all of them train.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from glasstape_server.domain.values import DAY, INTERVALS, SECOND, SYMBOL, SYMBOL_RULE

EARLIEST = -25_567 * DAY
"""1900-01-01."""
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


_PLACE = pl.col("^(close_time|file|row)$").first()
"""Of a group: where it begins."""
KINDS = (
    "interval",
    "short",
    "symbol",
    "time",
    "duplicate",
    "price",
    "band",
    "volume",
    "untraded",
    "jump",
    "split",
    "halted",
    "stale",
    "gap",
    "regime",
)


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of one frame that have one kind of trouble."""

    kind: str
    limit: float
    """Share of all bars beyond which it is refused; infinite: never."""
    count: int
    example: str
    symbols: tuple[str, ...]
    text: str


class Inspection:
    """Looks at bars frame by frame; each frame holds whole symbols."""

    def __init__(self, interval: str, least_bars: int = 0) -> None:
        """Begin.

        Args:
            interval: what the bars' length is said to be.
            least_bars: bars that one labelled window needs.
        """
        self._interval, self._least = interval, least_bars
        self._bars, self._symbols, self._short = 0, 0, 0
        self._first, self._last = 1 << 62, 0
        self._found: dict[str, list[_Found]] = {}

    def look(self, frame: pl.DataFrame) -> None:
        """Look at one frame, as `market.files` gives it; columns file and row are named if they are there."""
        ordered = frame.sort("symbol", "close_time").with_columns(
            before=pl.col("close").shift(1).over("symbol"),
            apart=(pl.col("close_time") - pl.col("close_time").shift(1).over("symbol")),
        )
        self._bars += frame.height
        self._symbols += frame["symbol"].n_unique()
        times = frame["close_time"]
        self._first = min(self._first, int(times.min()))  # type: ignore[arg-type]
        self._last = max(self._last, int(times.max()))  # type: ignore[arg-type]
        for found in (
            *_interval(ordered, self._interval),
            *self._too_short(ordered),
            *_rows(ordered),
            *_jumps(ordered),
            *_runs(ordered),
            *_gaps(ordered, self._interval),
            *_regimes(ordered),
        ):
            self._found.setdefault(found.kind, []).append(found)

    def report(self) -> DataReport:
        """What was found so far.

        Raises:
            ValueError: there are no bars.
        """
        if not self._bars:
            raise ValueError("data: there are no bars")
        findings = [self._together(found) for found in self._found.values()]
        return DataReport(
            symbols=self._symbols,
            bars=self._bars,
            first=_moment(self._first),
            last=_moment(self._last),
            findings=tuple(sorted(findings, key=lambda found: (not found.refuses, KINDS.index(found.kind)))),
        )

    def _together(self, parts: list[_Found]) -> Finding:
        count = sum(part.count for part in parts)
        symbols = tuple(sorted({symbol for part in parts for symbol in part.symbols}))
        refuses = count > parts[0].limit * self._bars
        if parts[0].kind == "short":
            refuses = len(symbols) == self._symbols
        return Finding(parts[0].kind, refuses, count, parts[0].example, symbols, parts[0].text)

    def _too_short(self, ordered: pl.DataFrame) -> Iterator[_Found]:
        short = ordered.filter(pl.len().over("symbol") < self._least)
        text = f"bars are of symbols with fewer than the {self._least} of one window; they are left out"
        yield from _found(short, "short", text, math.inf)


def inspect(frame: pl.DataFrame, interval: str, least_bars: int = 0) -> DataReport:
    """Look at bars of one frame; see `Inspection`.

    Raises:
        ValueError: there are no bars.
    """
    inspection = Inspection(interval, least_bars)
    if not frame.is_empty():
        inspection.look(frame)
    return inspection.report()


def _interval(ordered: pl.DataFrame, interval: str) -> Iterator[_Found]:
    # By stretches, so that a file whose bars change their length half-way is found, too.
    typical = pl.col("apart").filter(pl.col("apart") > 0).median().over("symbol", "stretch")
    stretched = ordered.with_columns(stretch=pl.int_range(pl.len()).over("symbol") // REGIME_BARS)
    length = INTERVALS[interval]
    wrong = stretched.with_columns(typical=typical).filter(
        (pl.col("typical") < 0.5 * length) | (pl.col("typical") > 5 * length)
    )
    if wrong.height:
        minutes = float(wrong["typical"][0]) / (60 * SECOND)
        text = f"bars are {minutes:,.0f} minutes apart in the median, --interval says {interval}; give the right one"
        yield from _found(wrong, "interval", text)


def _rows(ordered: pl.DataFrame) -> Iterator[_Found]:
    prices = ("open", "high", "low", "close")
    wrong = pl.any_horizontal(*(~pl.col(name).is_finite() | (pl.col(name) <= 0) for name in prices))
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    outside = (pl.col("high") < top * (1 - BAND)) | (pl.col("low") > bottom * (1 + BAND))
    flat = (pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))
    ours = pl.col("symbol").str.contains(f"^{SYMBOL.pattern}$")
    text = f"bars have a symbol that no server takes ({SYMBOL_RULE}); rename it"
    yield from _found(ordered.filter(~ours), "symbol", text)
    strange = (pl.col("close_time") < EARLIEST) | (pl.col("close_time") > time.time() * SECOND + DAY)
    text = "bars are older than 1900 or of the future; mend their dates"
    yield from _found(ordered.filter(strange), "time", text)
    empty = ordered.filter((pl.col("volume") == 0).all().over("symbol"))
    text = "bars are of symbols that have no volume at all; one feature of eight says nothing there"
    yield from _found(empty, "untraded", text, math.inf)
    yield from _found(ordered.filter(pl.col("apart") == 0), "duplicate", "bars stand twice; keep one of each")
    yield from _found(
        ordered.filter(wrong), "price", "bars have a price that is not positive; remove or mend them"
    )
    broken = ordered.filter(outside & ~wrong)
    text = (
        "bars have an open or close outside low and high; columns may be mixed up, or not all prices adjusted"
    )
    yield from _found(broken, "band", text, 0.001)
    text = "bars have a volume that is negative or no number; fill it, or leave the symbol out"
    yield from _found(ordered.filter(~pl.col("volume").is_finite() | (pl.col("volume") < 0)), "volume", text)
    halted = ordered.filter(flat)
    text = "bars without trades; they teach that nothing happens"
    yield from _found(halted, "halted", text, HALTED_SHARE)


def _jumps(ordered: pl.DataFrame) -> Iterator[_Found]:
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
    yield from _found(rest, "jump", text, TOO_MANY_JUMPS)


def _runs(ordered: pl.DataFrame) -> Iterator[_Found]:
    same = (pl.col("close") == pl.col("before")) & (pl.col("volume") > 0)
    numbered = ordered.with_columns(same=same.fill_null(False)).with_columns(
        run=(~pl.col("same")).cum_sum().over("symbol")
    )
    runs = numbered.group_by("symbol", "run", maintain_order=True).agg(pl.len().alias("length"), _PLACE)
    text = f"times a close stood still for {STALE_RUN} bars or more although it was traded; the feed may have hung"
    yield from _found(runs.filter(pl.col("length") > STALE_RUN), "stale", text, math.inf)


def _gaps(ordered: pl.DataFrame, interval: str) -> Iterator[_Found]:
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
    yield from _found(missing, "gap", text, math.inf)


def _regimes(ordered: pl.DataFrame) -> Iterator[_Found]:
    stretches = (
        ordered.with_columns(stretch=pl.int_range(pl.len()).over("symbol") // REGIME_BARS)
        .group_by("symbol", "stretch", maintain_order=True)
        .agg(pl.col("volume").median(), _PLACE, pl.len().alias("length"))
        .filter(pl.col("length") == REGIME_BARS)
        .with_columns(earlier=pl.col("volume").shift(1).over("symbol"))
    )
    factor = pl.max_horizontal(pl.col("volume") / pl.col("earlier"), pl.col("earlier") / pl.col("volume"))
    broken = stretches.filter((pl.col("volume") > 0) & (pl.col("earlier") > 0) & (factor > REGIME))
    text = f"times the usual volume changed {REGIME:.0f}-fold; its unit may have changed"
    yield from _found(broken, "regime", text, math.inf)


def _found(rows: pl.DataFrame, kind: str, text: str, limit: float = 0.0) -> Iterator[_Found]:
    if rows.height:
        first, symbols = rows.row(0, named=True), rows["symbol"].unique().sort().to_list()
        yield _Found(kind, limit, rows.height, _name(first), tuple(symbols), text)


def _name(row: dict[str, object]) -> str:
    place = f" ({row['file']} row {row['row']})" if "row" in row else ""
    return f"{row['symbol']} {_moment(int(str(row['close_time']))):%Y-%m-%d %H:%M} UTC{place}"


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
