"""Bars from CSV and Parquet files with various column names."""

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

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.times import INTERVALS
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

CONVERTED_FROM = 5_000_000
"""Number of bars from which on a CSV is converted to Parquet once, since it is read some symbols at a time."""
_NUMBERS = ("open", "high", "low", "close", "volume", "adjusted")


@dataclass(frozen=True, slots=True)
class _Source:
    """One file and the roles of its columns."""

    path: Path
    stored: Path
    """File to read from: a large CSV is converted to Parquet once."""
    columns: dict[str, str]
    counts: dict[str, int]
    """Bars of each symbol."""


class BarFiles:
    """Bars of one or more files, read some symbols at a time, so that they need not fit into memory.

    Where a file has an adjusted close, prices are multiplied by adjusted close / close: splits and
    dividends then leave no jump.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        interval: str,
        form: FileFormat,
        *,
        converted_from: int = CONVERTED_FROM,
    ) -> None:
        """Read the files' columns and symbols.

        Args:
            paths: .csv, .csv.gz or .parquet.
            interval: length of the bars, a key of `INTERVALS`.
            form: time zone and closing time.
            converted_from: number of bars from which on a CSV is converted to Parquet once.

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
        self._converted: Path | None = None
        parquet.check([path for path in paths if path.suffix == ".parquet" and path.is_file()])
        self._sources = [_inspect(path, form, self._conversion_folder, converted_from) for path in paths]

    def _conversion_folder(self) -> Path:
        """Return a folder that is removed with this object."""
        if self._converted is None:
            self._converted = temporary.create_folder("files")
            weakref.finalize(self, shutil.rmtree, self._converted, True)
        return self._converted

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
        """Roles of the columns, one line for each file."""
        return [
            f"{source.path}: " + ", ".join(f"{key} = {name}" for key, name in source.columns.items())
            for source in self._sources
        ]

    def read(self, symbols: Collection[str] | None = None) -> pl.DataFrame:
        """Return the bars of some symbols, or of all.

        Returns:
            Columns symbol, close_time (microseconds UTC), open, high, low, close, volume, file and row
            (from 1, without the header); ordered by close_time, then symbol.

        Raises:
            FileError: a cell is missing or wrong.
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
        return pl.concat(
            [
                _bars(source, self._interval, self._form, symbols)
                for source in self._sources
                if symbols is None or not source.counts.keys().isdisjoint(symbols)
            ]
        )


def read_bars(path: Path, interval: str, form: FileFormat) -> pl.DataFrame:
    """Return all bars of one file; see `BarFiles.read`."""
    return BarFiles([path], interval, form).read().drop("file", "row")


def to_bars(frame: pl.DataFrame, interval: str) -> list[Bar]:
    """Return the rows of `read_bars` as bars."""
    return [Bar(row[0], interval, *row[1:]) for row in frame.iter_rows()]


def _inspect(
    path: Path, form: FileFormat, conversion_folder: Callable[[], Path], converted_from: int
) -> _Source:
    names = _columns(path)
    roles = {key: _find(path, names, synonyms) for key, synonyms in _NAMES.items()}
    missing = [key for key in ("time", "open", "high", "low", "close", "volume") if roles[key] is None]
    if missing:
        raise FileError(f"{path}: no column for {', '.join(missing)}; has {', '.join(names)}")
    columns = {key: name for key, name in roles.items() if name is not None}
    symbol = _symbol(columns, path, form).alias("symbol")
    counted = _collect(_scan(path).group_by(symbol).len(), path)
    row = counted.filter(pl.col("symbol").is_null())
    if row.height:
        at = _collect(_scan(path).select(symbol.is_null().arg_max()), path).item()
        raise FileError(f"{path}: row {at + 1} has no symbol")
    if not counted.height:
        raise FileError(f"{path}: has no bars")
    counts = dict(zip(counted["symbol"], counted["len"], strict=True))
    stored = path
    if path.suffix != ".parquet" and sum(counts.values()) >= converted_from:
        stored = conversion_folder() / f"{len(list(conversion_folder().iterdir()))}.parquet"
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
    # Other columns are never read.
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
        skipped = f"{frame[columns['time']][at]} does not exist in {form.time_zone}, whose clocks skip it"
        raise FileError(f"{path}: row {bars['row'][at]}: {skipped}; set the times' zone with --time-zone")
    for name in bars.columns:
        at = bars[name].is_null().arg_max()
        if bars[name].null_count() and at is not None:
            raise FileError(f"{path}: row {bars['row'][at]} has no {name}; add it or remove the row")
    return bars


def _columns(path: Path) -> list[str]:
    """Return the column names of a file.

    Raises:
        FileError: it is not a readable CSV or Parquet file.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder; list its files")
    try:
        with reading(path):
            if path.suffix == ".csv":
                with path.open("rb") as file:
                    codecs.getincrementaldecoder("utf-8")().decode(file.read(1 << 16))
            names = _scan(path).collect_schema().names()
    except UnicodeDecodeError:
        raise FileError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    if len(names) == 1 and ";" in names[0]:
        raise FileError(f"{path}: columns are separated by ';'; save it with commas")
    return names


def _scan(path: Path) -> pl.LazyFrame:
    with reading(path):
        if path.suffix == ".parquet":
            return pl.scan_parquet(path, glob=False)
        # Symbols such as 005930 must stay text, so their type is not inferred.
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
                f"{path}: columns {' and '.join(map(repr, found))} are both named {name}; remove one"
            )
        if found:
            return found[0]
    return None


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
