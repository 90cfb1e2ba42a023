"""Bars from CSV and Parquet files, whatever their columns are called."""

from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from glasstape_server.domain import INTERVALS, Bar

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


def read_bars(path: Path, interval: str, form: FileFormat) -> pl.DataFrame:
    """Read a file.

    Prices are multiplied by adjusted close / close where the file has an adjusted close: splits and
    dividends then leave no jump.

    Args:
        path: .csv, .csv.gz or .parquet.
        interval: length of the bars, a key of `INTERVALS`.
        form: time zone and closing time.

    Returns:
        Columns symbol, close_time (microseconds UTC), open, high, low, close, volume; ordered by
        close_time, then symbol.

    Raises:
        FileError: unreadable, or a column is missing.
    """
    if interval not in INTERVALS:
        raise FileError(f"{path}: interval must be one of {' '.join(INTERVALS)}, is {interval!r}")
    frame = _read(path)
    found = {key: _find(frame, names) for key, names in _NAMES.items()}
    missing = [key for key in ("time", "open", "high", "low", "close", "volume") if found[key] is None]
    if missing:
        raise FileError(f"{path}: no column for {', '.join(missing)}; has {', '.join(frame.columns)}")
    frame = _numbers(frame, [str(found[key]) for key in _NUMBERS if found[key] is not None], path)
    columns = {key: pl.col(name) for key, name in found.items() if name is not None}
    symbol = columns.get("symbol", pl.lit(form.symbol or path.name.split(".")[0]))
    factor = columns["adjusted"] / columns["close"] if "adjusted" in columns else pl.lit(1.0)
    try:
        ZoneInfo(form.time_zone)
    except (KeyError, ValueError, OSError):
        raise FileError(f"{path}: time zone must be an IANA zone, is {form.time_zone!r}") from None
    try:
        bars = frame.select(
            symbol.cast(pl.String).alias("symbol"),
            _close_time(frame, str(found["time"]), interval, form).alias("close_time"),
            *((columns[key].cast(pl.Float64) * factor).alias(key) for key in ("open", "high", "low")),
            (columns["close"].cast(pl.Float64) * factor).alias("close"),
            columns["volume"].cast(pl.Float64).alias("volume"),
        )
    except pl.exceptions.PolarsError as error:
        raise FileError(f"{path}: {str(error).splitlines()[0]}") from None
    for name in bars.columns:
        row = bars[name].is_null().arg_max()
        if bars[name].null_count() and row is not None:
            raise FileError(f"{path}: row {row + 1} has no {name}")
    return bars.sort("close_time", "symbol", maintain_order=True)


def to_bars(frame: pl.DataFrame, interval: str) -> list[Bar]:
    """The rows of `read_bars` as bars."""
    return [Bar(row[0], interval, *row[1:]) for row in frame.iter_rows()]


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        # Codes such as 005930 must stay text, so nothing is guessed for the first columns.
        names = pl.read_csv(path, n_rows=0).columns
        texts = {name: pl.String for name in names if name.strip().lower() in _NAMES["symbol"]}
        return pl.read_csv(path, schema_overrides=texts, infer_schema_length=10_000)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileError(f"{path}: cannot be read: {error}") from None


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
            raise FileError(f"{path}: row {row + 1}: {name} must be a number, is {frame[name][row]!r}")
        frame = frame.with_columns(made)
    return frame


def _find(frame: pl.DataFrame, names: tuple[str, ...]) -> str | None:
    by_lower = {column.strip().lower(): column for column in frame.columns}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _close_time(frame: pl.DataFrame, name: str, interval: str, form: FileFormat) -> pl.Expr:
    kind = frame.schema[name]
    column = pl.col(name)
    if kind == pl.String:
        sample = next(iter(frame[name].drop_nulls()), "")
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


def day_start(day: str, time_zone: str) -> int:
    """Midnight of a local day YYYY-MM-DD, in microseconds UTC.

    Raises:
        ValueError: not such a day.
    """
    local = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(time_zone))
    return int(local.timestamp()) * 1_000_000
