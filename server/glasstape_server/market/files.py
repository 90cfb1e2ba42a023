"""Bars from CSV and Parquet files, whatever their columns are called."""

import codecs
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from glasstape_server.domain.values import INTERVALS, Bar
from glasstape_server.market import parquet
from glasstape_server.market.cells import FileError, FileFormat, close_times, numbers, reading
from glasstape_server.storage import temporary

__all__ = ["BarFiles", "FileError", "FileFormat", "day_start", "read_bars", "to_bars"]

_NAMES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "code", "name", "종목코드", "단축코드", "코드"),
    "time": ("datetime", "date", "time", "timestamp", "일시", "일자", "날짜", "거래일"),
    "open": ("open", "o", "시가"),
    "high": ("high", "h", "고가"),
    "low": ("low", "l", "저가"),
    "close": ("close", "c", "종가"),
    "volume": ("volume", "vol", "v", "거래량"),
    "adjusted": ("adj close", "adj_close", "adjclose", "adjusted_close", "수정종가"),
}

PARSED_ONCE = 5_000_000
"""Bars beyond which a CSV is parsed once, since it is read some symbols at a time."""
_NUMBERS = ("open", "high", "low", "close", "volume", "adjusted")


@dataclass(frozen=True, slots=True)
class _Source:
    """One file and which of its columns is what."""

    path: Path
    stored: Path
    """Where it is read from: a large CSV is parsed once and kept as Parquet."""
    columns: dict[str, str]
    counts: dict[str, int]
    """Bars of each symbol."""


class BarFiles:
    """Bars of one or more files, read some symbols at a time: they need not fit into memory together.

    Prices are multiplied by adjusted close / close where a file has an adjusted close: splits and
    dividends then leave no jump.
    """

    def __init__(self, paths: Sequence[Path], interval: str, form: FileFormat) -> None:
        """Look at the files' columns and symbols.

        Args:
            paths: .csv, .csv.gz or .parquet.
            interval: length of the bars, a key of `INTERVALS`.
            form: time zone and closing time.

        Raises:
            FileError: unreadable, or a column is missing.
        """
        if interval not in INTERVALS:
            raise FileError(f"{paths[0]}: interval must be one of {' '.join(INTERVALS)}, is {interval!r}")
        try:
            ZoneInfo(form.time_zone)
        except (KeyError, ValueError, OSError):
            raise FileError(f"{paths[0]}: time zone must be an IANA zone, is {form.time_zone!r}") from None
        self._interval, self._form = interval, form
        self._kept: Path | None = None
        parquet.check([path for path in paths if path.suffix == ".parquet" and path.is_file()])
        self._sources = [_look(path, form, self._keep) for path in paths]

    def _keep(self) -> Path:
        """A folder that lives as long as this."""
        if self._kept is None:
            self._kept = temporary.create_folder("files")
            weakref.finalize(self, shutil.rmtree, self._kept, True)
        return self._kept

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [source.path for source in self._sources]

    @property
    def bars(self) -> int:
        """Bars of all files."""
        return sum(sum(source.counts.values()) for source in self._sources)

    @property
    def guesses(self) -> list[str]:
        """A sentence for each file: which column was taken for what."""
        return [
            f"{source.path}: " + ", ".join(f"{key} = {name}" for key, name in source.columns.items())
            for source in self._sources
        ]

    def read(self, symbols: Collection[str] | None = None) -> pl.DataFrame:
        """Bars of some symbols, or of all.

        Returns:
            Columns symbol, close_time (microseconds UTC), open, high, low, close, volume, file and row
            (from 1, without the header); ordered by close_time, then symbol.

        Raises:
            FileError: a cell is missing or wrong.
        """
        return self._read(symbols).sort("close_time", "symbol", maintain_order=True)

    def chunks(self, bars: int) -> Iterator[pl.DataFrame]:
        """Everything, whole symbols by name, about `bars` bars at a time, each in order of symbol and time."""
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
        return pl.concat(
            [
                _bars(source, self._interval, self._form, symbols)
                for source in self._sources
                if symbols is None or not source.counts.keys().isdisjoint(symbols)
            ]
        )


def read_bars(path: Path, interval: str, form: FileFormat) -> pl.DataFrame:
    """All bars of one file; see `BarFiles.read`."""
    return BarFiles([path], interval, form).read().drop("file", "row")


def to_bars(frame: pl.DataFrame, interval: str) -> list[Bar]:
    """The rows of `read_bars` as bars."""
    return [Bar(row[0], interval, *row[1:]) for row in frame.iter_rows()]


def _look(path: Path, form: FileFormat, kept: Callable[[], Path]) -> _Source:
    names = _columns(path)
    found = {key: _find(path, names, spellings) for key, spellings in _NAMES.items()}
    missing = [key for key in ("time", "open", "high", "low", "close", "volume") if found[key] is None]
    if missing:
        raise FileError(f"{path}: no column for {', '.join(missing)}; has {', '.join(names)}")
    columns = {key: name for key, name in found.items() if name is not None}
    symbol = _symbol(columns, path, form).alias("symbol")
    counted = _collect(_scan(path).group_by(symbol).len(), path)
    row = counted.filter(pl.col("symbol").is_null())
    if row.height:
        at = _collect(_scan(path).select(symbol.is_null().arg_max()), path).item()
        raise FileError(f"{path}: row {at + 1} has no symbol")
    if not counted.height:
        raise FileError(f"{path}: there are no bars")
    counts = dict(zip(counted["symbol"], counted["len"], strict=True))
    stored = path
    if path.suffix != ".parquet" and sum(counts.values()) > PARSED_ONCE:
        stored = kept() / f"{len(list(kept().iterdir()))}.parquet"
        with reading(path):
            _scan(path).sink_parquet(stored)
    return _Source(path, stored, columns, counts)


def _symbol(columns: dict[str, str], path: Path, form: FileFormat) -> pl.Expr:
    if "symbol" in columns:
        return pl.col(columns["symbol"]).cast(pl.String)
    return pl.lit(form.symbol or path.name.split(".")[0])


def _bars(source: _Source, interval: str, form: FileFormat, symbols: Collection[str] | None) -> pl.DataFrame:
    path, columns = source.path, source.columns
    symbol = _symbol(columns, path, form)
    scan = _scan(source.stored).with_row_index("_row", offset=1)
    if symbols is not None and not source.counts.keys() <= set(symbols):
        scan = scan.filter(symbol.is_in(list(symbols)))
    # What is no part of a bar is never read.
    frame = _collect(scan.select("_row", *dict.fromkeys(columns.values())), path)
    frame = numbers(frame, [columns[key] for key in _NUMBERS if key in columns], path)
    close = pl.col(columns["close"]).cast(pl.Float64)
    factor = pl.col(columns["adjusted"]).cast(pl.Float64) / close if "adjusted" in columns else pl.lit(1.0)
    prices = ("open", "high", "low", "close")
    bars = _collect(
        frame.lazy().select(
            symbol.alias("symbol"),
            close_times(frame, columns["time"], interval, form, path).alias("close_time"),
            *((pl.col(columns[key]).cast(pl.Float64) * factor).alias(key) for key in prices),
            pl.col(columns["volume"]).cast(pl.Float64).alias("volume"),
            pl.lit(path.name).cast(pl.Categorical).alias("file"),
            pl.col("_row").cast(pl.UInt32).alias("row"),
        ),
        path,
    )
    missing = bars["close_time"].is_null() & frame[columns["time"]].is_not_null()
    at = missing.arg_max()
    if missing.any() and at is not None:
        told = f"row {bars['row'][at]}: there is no {frame[columns['time']][at]} in {form.time_zone}, clocks skip it"
        raise FileError(f"{path}: {told}; give the zone that the times are in (--time-zone)")
    for name in bars.columns:
        at = bars[name].is_null().arg_max()
        if bars[name].null_count() and at is not None:
            raise FileError(f"{path}: row {bars['row'][at]} has no {name}; fill it in, or leave the row out")
    return bars


def _columns(path: Path) -> list[str]:
    """Titles of the columns.

    Raises:
        FileError: it is no such file.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder; name its files")
    try:
        with reading(path):
            if path.suffix == ".csv":
                with path.open("rb") as file:
                    codecs.getincrementaldecoder("utf-8")().decode(file.read(1 << 16))
            names = _scan(path).collect_schema().names()
    except UnicodeDecodeError:
        raise FileError(f"{path}: is not UTF-8 text; save it as CSV UTF-8") from None
    if len(names) == 1 and ";" in names[0]:
        raise FileError(f"{path}: columns are parted by ';'; save it with commas")
    return names


def _scan(path: Path) -> pl.LazyFrame:
    with reading(path):
        if path.suffix == ".parquet":
            return pl.scan_parquet(path, glob=False)
        # Codes such as 005930 must stay text, so nothing is guessed for the first columns.
        names = pl.read_csv(path, n_rows=0, glob=False).columns
        texts = {name: pl.String for name in names if name.strip().lower() in _NAMES["symbol"]}
        return pl.scan_csv(path, schema_overrides=texts, infer_schema_length=10_000, glob=False)


def _collect(frame: pl.LazyFrame, path: Path) -> pl.DataFrame:
    with reading(path):
        return frame.collect(engine="streaming")


def _find(path: Path, columns: Sequence[str], names: tuple[str, ...]) -> str | None:
    for name in names:
        found = [column for column in columns if column.strip().lower() == name]
        if len(found) > 1:
            raise FileError(
                f"{path}: columns {' and '.join(map(repr, found))} are both called {name}; remove one"
            )
        if found:
            return found[0]
    return None


def day_start(day: str, time_zone: str, name: str = "day") -> int:
    """Midnight of a local day YYYY-MM-DD, in microseconds UTC.

    Raises:
        ValueError: not such a day; the text calls it `name`.
    """
    try:
        local = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(time_zone))
    except ValueError:
        raise ValueError(f"{name}: must be YYYY-MM-DD, is {day!r}") from None
    return int(local.timestamp()) * 1_000_000
