"""Bars from text and Parquet files, read whole columns at a time.

What a file means is decided by `glasstape.barfile`, so that `publish`, which reads rows with the standard library,
reads alike.
"""

import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
from glasstape.barfile.content import is_parquet
from glasstape.barfile.errors import BarFileError, Problems
from glasstape.barfile.interval_check import MAX_BARS, MAX_SYMBOLS, Distances
from glasstape.barfile.options import BarFileOptions
from glasstape.barfile.reading import Decisions, check_interval, describe
from glasstape.barfile.summary import FileSummary, shown_notes

from glasstape_server.domain.bars import Bar
from glasstape_server.market.file_rows import KEPT_ROWS, Rows, bars_of, first_pass
from glasstape_server.market.parquet_rows import ParquetRows
from glasstape_server.market.text_rows import TextRows
from glasstape_server.storage import temporary

SPILL_FROM = 5_000_000
"""Number of bars from which on those that were read are kept on disk."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Bars of one file."""

    path: Path
    bars: pl.LazyFrame
    counts: Counter[str]
    """Bars of each symbol."""
    notes: list[str]
    time_zone: str
    span: tuple[int, int]
    """Earliest and latest close."""
    left_out: Counter[str]
    """Rows that hold no bar and are left out, by kind."""


class BarFiles:
    """Bars of one or more files, given some symbols at a time, so that they need not fit into memory."""

    def __init__(
        self,
        paths: Sequence[Path],
        interval: str,
        options: BarFileOptions | None = None,
        *,
        spill_from: int = SPILL_FROM,
        kept_rows: int = KEPT_ROWS,
        on_file: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Read the files.

        Args:
            paths: text, which may be compressed with gzip, or Parquet.
            interval: length of the bars, a key of `INTERVALS`.
            options: what the files do not state themselves.
            spill_from: number of bars from which on they are kept in a temporary folder.
            kept_rows: rows of a file that are taken apart once; further ones are read twice.
            on_file: called after each file with the number of those that were read.

        Raises:
            BarFileError: not a file of bars, something is neither proved nor stated, or rows cannot be read.
        """
        check_interval(interval)
        self._folder: Path | None = None
        self._spill_from, self._kept_rows = spill_from, kept_rows
        options = options or BarFileOptions()
        self._sources: list[_Source] = []
        for path in paths:
            self._sources.append(self._read_file(path, interval, options))
            on_file(len(self._sources))

    def _read_file(self, path: Path, interval: str, options: BarFileOptions) -> _Source:
        problems = Problems()
        rows: Rows = ParquetRows(path, options) if is_parquet(path) else TextRows(path, options)
        problems.unit = rows.unit
        first = first_pass(rows, problems, self._kept_rows)
        decisions = Decisions.make(path, rows.columns, first.evidence, options, interval, **rows.stated)
        parts = _Parts(self._new_folder, self._spill_from)
        counts: Counter[str] = Counter()
        for frame in bars_of(rows, first.kept, decisions, problems):
            symbols = frame["symbol"].value_counts()
            counts.update(dict(zip(symbols["symbol"], symbols["count"], strict=True)))
            _see_distances(frame, decisions.distances)
            parts.add(frame)
        notes = [describe(path, rows.columns), *rows.notes, *problems.check(path, options.accepted)]
        if not counts:
            raise BarFileError(f"{path}: there are no bars")
        return _Source(
            path,
            parts.scan(),
            counts,
            notes + decisions.finish(parts.first, parts.last),
            decisions.closes.rule.zone,
            (parts.first, parts.last),
            problems.counts,
        )

    def _new_folder(self) -> Path:
        """Return an empty folder that is removed with this object."""
        if self._folder is None:
            self._folder = temporary.create_folder("files")
            weakref.finalize(self, shutil.rmtree, self._folder, True)
        folder = self._folder / str(len(list(self._folder.iterdir())))
        folder.mkdir()
        return folder

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [source.path for source in self._sources]

    @property
    def bars(self) -> int:
        """Bars of all files."""
        return sum(source.counts.total() for source in self._sources)

    @property
    def time_zone(self) -> str:
        """IANA zone of the first file's times; UTC if all of them state their offset."""
        return self._sources[0].time_zone or "UTC"

    @property
    def notes(self) -> list[str]:
        """How each file was understood, one sentence each; the first of a file names it."""
        return [note for source in self._sources for note in source.notes]

    @property
    def summary(self) -> FileSummary:
        """What the files hold."""
        counts, left_out = Counter[str](), Counter[str]()
        for source in self._sources:
            counts.update(source.counts)
            left_out.update(source.left_out)
        spans = [source.span for source in self._sources]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        return FileSummary(len(spans), len(counts), counts.total(), first, last, left_out)

    def shown_notes(self, *, verbose: bool) -> Sequence[str]:
        """Return what a command prints about the files; see `barfile.summary.shown_notes`."""
        return shown_notes(self.notes, self.summary, verbose=verbose)

    def read(self, symbols: Collection[str] | None = None) -> pl.DataFrame:
        """Return the bars of some symbols, or of all.

        Returns:
            Columns symbol, close_time (microseconds UTC), open, high, low, close, volume, file and row (line of a text
            file, or row of a Parquet file, from 1); ordered by close_time, then symbol.
        """
        return self._read(symbols).sort("close_time", "symbol", maintain_order=True)

    def chunks(self, bars: int) -> Iterator[pl.DataFrame]:
        """Yield all bars, whole symbols by name, about `bars` bars at a time, ordered by symbol and time."""
        counts: Counter[str] = Counter()
        for source in self._sources:
            counts.update(source.counts)
        chosen: list[str] = []
        waiting = 0
        for symbol, count in sorted(counts.items()):
            chosen.append(symbol)
            waiting += count
            if waiting >= bars:
                yield self._read(chosen).sort("symbol", "close_time", maintain_order=True)
                chosen, waiting = [], 0
        if chosen:
            yield self._read(chosen).sort("symbol", "close_time", maintain_order=True)

    def _read(self, symbols: Collection[str] | None) -> pl.DataFrame:
        frames = []
        for source in self._sources:
            if symbols is not None and source.counts.keys().isdisjoint(symbols):
                continue
            bars = source.bars
            if symbols is not None and not source.counts.keys() <= set(symbols):
                bars = bars.filter(pl.col("symbol").is_in(list(symbols)))
            file = pl.lit(source.path.name).cast(pl.Categorical).alias("file")
            frames.append(bars.with_columns(file).collect(engine="streaming"))
        columns = ("symbol", "close_time", "open", "high", "low", "close", "volume", "file", "row")
        return pl.concat(frames).select(columns)


class _Parts:
    """Bars of one file as they are read: in memory, or in a folder once there are many."""

    def __init__(self, new_folder: Callable[[], Path], spill_from: int) -> None:
        self._new_folder = new_folder
        self._spill_from = spill_from
        self._frames: list[pl.DataFrame] = []
        self._folder: Path | None = None
        self._bars = self._files = 0
        self.first, self.last = 1 << 62, -(1 << 62)
        """Earliest and latest close."""

    def add(self, frame: pl.DataFrame) -> None:
        """Add bars."""
        if frame.is_empty():
            return
        closes = frame["close_time"]
        self.first = min(self.first, int(closes.min()))  # type: ignore[arg-type]
        self.last = max(self.last, int(closes.max()))  # type: ignore[arg-type]
        self._bars += frame.height
        self._frames.append(frame)
        if self._folder is not None or self._bars >= self._spill_from:
            self._folder = self._folder or self._new_folder()
            for each in self._frames:
                each.write_parquet(self._folder / f"{self._files:06d}.parquet")
                self._files += 1
            self._frames = []

    def scan(self) -> pl.LazyFrame:
        """Return all bars, in the file's order."""
        if self._folder is not None:
            return pl.scan_parquet(self._folder / "*.parquet")
        return pl.concat(self._frames).lazy()


def _see_distances(frame: pl.DataFrame, distances: Distances) -> None:
    first = frame["symbol"].unique(maintain_order=True).head(MAX_SYMBOLS + len(distances.closes))
    for symbol in first:
        if symbol in distances.closes or len(distances.closes) < MAX_SYMBOLS:
            closes = frame.filter(pl.col("symbol") == symbol)["close_time"].head(MAX_BARS)
            distances.see(symbol, closes.to_list())


def read_bars(path: Path, interval: str, options: BarFileOptions | None = None) -> pl.DataFrame:
    """Return all bars of one file; see `BarFiles.read`."""
    return BarFiles([path], interval, options).read().drop("file", "row")


def to_bars(frame: pl.DataFrame, interval: str) -> list[Bar]:
    """Return the rows of `read_bars` as bars."""
    return [Bar(row[0], interval, *row[1:]) for row in frame.iter_rows()]


def day_start(day: str, time_zone: str, name: str = "day") -> int:
    """Return the midnight of a local day YYYY-MM-DD, in microseconds UTC.

    Raises:
        ValueError: not such a day; the text begins with `name`.
    """
    try:
        local = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(time_zone))
    except ValueError:
        raise ValueError(f"{name}: must be YYYY-MM-DD, is {day!r}") from None
    return int(local.timestamp()) * 1_000_000
