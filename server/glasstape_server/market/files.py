"""Bars from CSV and Parquet files, whatever their columns are called."""

import codecs
import re
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from glasstape_server.domain import INTERVALS, Bar
from glasstape_server.market import scratch

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
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
"""At the end of a time that says its offset from UTC."""
_NUMBERS = ("open", "high", "low", "close", "volume", "adjusted")


class FileError(ValueError):
    """A file that bars cannot be read from; the text names file, column and rule."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What a file does not say itself."""

    time_zone: str = "UTC"
    """IANA zone of times without an offset."""
    close: time = time(0, 0)
    """Local closing time of bars that carry a date alone."""
    symbol: str = ""
    """Symbol of files without a symbol column. Default: the file's name."""


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
        self._sources = [_look(path, form, self._keep) for path in paths]

    def _keep(self) -> Path:
        """A folder that lives as long as this."""
        if self._kept is None:
            self._kept = scratch.make("files")
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
    frame = _numbers(frame, [columns[key] for key in _NUMBERS if key in columns], path)
    close = pl.col(columns["close"]).cast(pl.Float64)
    factor = pl.col(columns["adjusted"]).cast(pl.Float64) / close if "adjusted" in columns else pl.lit(1.0)
    prices = ("open", "high", "low", "close")
    bars = _collect(
        frame.lazy().select(
            symbol.alias("symbol"),
            _close_time(frame, columns["time"], interval, form).alias("close_time"),
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
        if path.suffix == ".csv":
            with path.open("rb") as file:
                codecs.getincrementaldecoder("utf-8")().decode(file.read(1 << 16))
        names = _scan(path).collect_schema().names()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    except UnicodeDecodeError:
        raise FileError(f"{path}: is not UTF-8 text; save it as CSV UTF-8") from None
    if len(names) == 1 and ";" in names[0]:
        raise FileError(f"{path}: columns are parted by ';'; save it with commas")
    return names


def _scan(path: Path) -> pl.LazyFrame:
    try:
        if path.suffix == ".parquet":
            return pl.scan_parquet(path, glob=False)
        # Codes such as 005930 must stay text, so nothing is guessed for the first columns.
        names = pl.read_csv(path, n_rows=0, glob=False).columns
        texts = {name: pl.String for name in names if name.strip().lower() in _NAMES["symbol"]}
        return pl.scan_csv(path, schema_overrides=texts, infer_schema_length=10_000, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileError(f"{path}: cannot be read: {error}") from None


def _collect(frame: pl.LazyFrame, path: Path) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def _numbers(frame: pl.DataFrame, names: list[str], path: Path) -> pl.DataFrame:
    """Columns of prices and volumes as numbers: spreadsheets write 71,000.

    Raises:
        FileError: a cell is no number.
    """
    for name in names:
        if frame.schema[name] != pl.String:
            continue
        plain = frame[name].str.strip_chars()
        grouped = plain.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
        made = plain.str.replace_all(",", "").cast(pl.Float64, strict=False).alias(name)
        wrong = (made.is_null() & plain.is_not_null()) | (plain.str.contains(",") & ~grouped)
        row = wrong.arg_max()
        if wrong.any() and row is not None:
            found = f"row {frame['_row'][row]}: {name} must be a number, is {frame[name][row]!r}"
            raise FileError(f"{path}: {found}")
        frame = frame.with_columns(made)
    return frame


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


def _close_time(frame: pl.DataFrame, name: str, interval: str, form: FileFormat) -> pl.Expr:
    kind = frame.schema[name]
    column = pl.col(name)
    if kind == pl.String:
        sample = next(iter(frame[name].drop_nulls()), "").strip()
        if len(sample) > 10 and _OFFSET.search(sample):
            return (
                column.str.replace(" ", "T")
                .str.to_datetime("%+", time_unit="us", time_zone="UTC")
                .dt.epoch("us")
            )
        dated = len(sample) <= 10
        column = column.str.to_date() if dated else column.str.to_datetime(time_unit="us")
        kind = pl.Date() if dated else pl.Datetime("us")
    if kind.is_integer():
        # Nothing says what other numbers count, and a wrong guess would be a wrong time.
        if not frame[name].drop_nulls().is_between(19_000_101, 21_001_231).all():
            raise FileError(f"column {name}: numbers must be days as YYYYMMDD")
        column, kind = column.cast(pl.String).str.to_date("%Y%m%d"), pl.Date()
    midnight = (
        isinstance(kind, pl.Datetime) and kind.time_zone is None and INTERVALS[interval] >= INTERVALS["1d"]
    )
    if midnight and frame.select((column.dt.time() == time(0, 0)).all()).item():
        # Daily bars at midnight are dates in disguise; taken as times they would close before their day.
        column, kind = column.dt.date(), pl.Date()
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.epoch("us")
    if kind == pl.Date:
        column = column.dt.combine(form.close, time_unit="us")
    local = column.cast(pl.Datetime("us")).dt.replace_time_zone(
        form.time_zone, ambiguous="earliest", non_existent="null"
    )
    return local.dt.convert_time_zone("UTC").dt.epoch("us")


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
