"""Bars from a CSV file, with the standard library only."""

import csv
import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from datetime import time as clock_time
from pathlib import Path
from zoneinfo import ZoneInfo

from glasstape import Bar, InvalidRequestError

_NAMES = {
    "symbol": ("symbol", "ticker", "code", "종목코드", "단축코드", "코드"),
    "time": ("close_time", "datetime", "date", "time", "timestamp", "일시", "일자", "날짜", "거래일"),
    "open": ("open", "시가"),
    "high": ("high", "고가"),
    "low": ("low", "저가"),
    "close": ("close", "종가"),
    "volume": ("volume", "vol", "거래량"),
}
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
"""A number with grouped thousands: 71,000."""


def read_bars(
    path: Path, interval: str, *, symbol: str, time_zone: str, close: clock_time | None
) -> Iterator[Bar]:
    """Yield the bars of a file.

    Args:
        path: .csv or .csv.gz with a header.
        interval: bar interval.
        symbol: symbol of a file without such a column.
        time_zone: IANA zone of times without an offset.
        close: local closing time of rows with a date only.

    Raises:
        InvalidRequestError: a column is missing or a value is malformed; names file, line and column.
    """
    zone = ZoneInfo(time_zone)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        columns = _columns(rows.fieldnames or (), path, bool(symbol))
        for row in rows:
            where = f"{path}:{rows.line_num}"
            numbers = {
                name: _number(row, columns[name], where)
                for name in ("open", "high", "low", "close", "volume")
            }
            name = row[columns["symbol"]] if "symbol" in columns else symbol
            moment = _moment(row[columns["time"]], interval, zone, close, f"{where} {columns['time']}")
            yield Bar(symbol=name, interval=interval, close_time=moment, **numbers)  # type: ignore[arg-type]


def _columns(header: object, path: Path, has_symbol: bool) -> dict[str, str]:
    names = {str(name).strip().lower(): str(name) for name in header}  # type: ignore[attr-defined]
    columns = {
        key: next(names[option] for option in options if option in names)
        for key, options in _NAMES.items()
        if any(option in names for option in options)
    }
    missing = [key for key in _NAMES if key not in columns and not (key == "symbol" and has_symbol)]
    if missing:
        raise InvalidRequestError.field(
            str(path), f"must have a column for {', '.join(missing)}, has {', '.join(names)}"
        )
    return columns


def _number(row: dict[str, str], column: str, where: str) -> float:
    text = (row[column] or "").strip()
    try:
        return float(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    except (TypeError, ValueError):
        raise InvalidRequestError.field(
            f"{where} {column}", f"must be a number, is {row[column]!r}"
        ) from None


def _moment(text: str, interval: str, zone: ZoneInfo, close: clock_time | None, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError.field(where, f"must be an ISO 8601 date or time, is {text!r}") from None
    # The time of a daily bar at midnight is a date: as a time, the bar would close before its day.
    midnight = interval in ("1d", "1w") and moment.tzinfo is None and moment.time() == clock_time(0, 0)
    if len(text) <= 10 or midnight:
        if close is None:
            rule = f"must have a closing time, is the date {text}: set --close HH:MM and --time-zone"
            raise InvalidRequestError.field(where, rule)
        moment = datetime.combine(moment, close)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
