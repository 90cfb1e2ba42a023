"""Instruments from the rows of a table, by the titles of its columns.

from glasstape.instruments import instruments_from_rows

rows = [{"종목코드": "005930", "종목명": "삼성전자", "시장": "KOSPI", "통화": "KRW"}]
client.publish_bars([], instruments=instruments_from_rows(rows))
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from glasstape.errors import InvalidRequestError
from glasstape.exchanges import code_of
from glasstape.symbols import reason_invalid
from glasstape.types.market import Instrument

TITLES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "code", "종목코드", "단축코드", "코드", "티커", "심볼"),
    "name": ("name", "company", "company name", "security name", "long name", "name en", "english name",
             "영문종목명", "종목영문명", "영문명"),
    "local_name": ("local name", "name ko", "korean name", "종목명", "한글종목명", "종목약명", "한글종목약명", "한글명",
                   "회사명", "기업명"),
    "exchange": ("exchange", "market", "mic", "exchange code", "시장", "시장구분", "소속시장", "거래소"),
    "time_zone": ("time zone", "tz", "시간대"),
    "currency": ("currency", "ccy", "quote currency", "통화", "통화코드"),
    "tick_size": ("tick size", "tick", "price increment", "min price increment", "호가단위"),
    "price_decimals": ("price decimals", "decimals", "price precision", "digits", "소수자릿수", "소수점자릿수"),
    "price_limit": ("price limit", "daily price limit", "가격제한폭", "가격제한", "상하한폭"),
    "sector": ("sector", "gics sector", "업종", "업종명", "섹터", "업종대분류", "대분류"),
    "industry": ("industry", "gics sub industry", "gics industry", "산업", "산업명", "세부업종", "업종소분류",
                 "소분류"),
}  # fmt: skip
"""Titles of the columns that hold each field, the preferred one first. Case, blanks, `_` and `-` do not matter."""

Row = Mapping[str, str | None]
MAX_TEXT = {"name": 128, "local_name": 128, "exchange": 128, "currency": 128, "sector": 64, "industry": 64}
"""Characters of texts, as in the contract."""
MAX_TICK = 1e9
MAX_DECIMALS = 12

_UNSTATED = frozenset({"", "-", "--", "nan", "none", "null", "n/a", "na", "#n/a"})
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_WHOLE = re.compile(r"(\d+)(\.0+)?")
_NUMERIC_SYMBOL = re.compile(r"\d+\.0+")
_CURRENCIES = {
    "원": "KRW",
    "₩": "KRW",
    "달러": "USD",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "엔": "JPY",
    "¥": "JPY",
}
_LOCAL_SCRIPTS = 0x1100
"""First code point of Hangul; Han, Kana and most other scripts of market names follow."""


def columns_of(titles: Iterable[str], known: Mapping[str, Sequence[str]] = TITLES) -> dict[str, list[str]]:
    """Return the titles that hold each field, the preferred one first; fields without a column are left out."""
    present: dict[str, list[str]] = {}
    for title in titles:
        present.setdefault(_normal(title), []).append(title)
    columns = {
        field: [title for name in names for title in present.get(_normal(name), ())]
        for field, names in known.items()
    }
    return {field: found for field, found in columns.items() if found}


def instruments_from_rows(
    rows: Iterable[Row],
    titles: Mapping[str, Sequence[str]] = TITLES,
    *,
    symbol: str = "",
    newest_wins: bool = True,
    where: Callable[[int], str] = "row {}".format,
) -> list[Instrument]:
    """Return the instruments that rows describe, in the order of their first rows.

    Fields without a column or value are not set. A name in a script other than Latin is the local name if no column
    holds that; an exchange may have its usual name ("코스피"). Rows without any value for an instrument state nothing.

    Args:
        rows: texts by title; of bars or of a table of instruments.
        titles: titles of the columns that hold each field, as `TITLES`.
        symbol: symbol of rows without such a column.
        newest_wins: take the last value of a symbol; otherwise two values are an error.
        where: returns how an error names a row, by its number from 1.

    Raises:
        InvalidRequestError: a value breaks a rule; names row, column, rule and value.
    """
    found: dict[str, Instrument] = {}
    seen: set[tuple[str | None, ...]] = set()
    columns: dict[str, list[str]] | None = None
    used: list[str] = []
    for number, row in enumerate(rows, 1):
        if columns is None:
            columns = columns_of(row, titles)
            used = [title for names in columns.values() for title in names]
        values = tuple(row.get(title) for title in used)
        if values in seen:  # bars repeat the description of their instrument
            continue
        seen.add(values)
        item = _instrument(row, columns, symbol, where(number))
        before = found.get(item.symbol)
        if before is not None and not newest_wins:
            _check_equal(before, item, where(number))
        found[item.symbol] = item if before is None else _merged(before, item)
    return [
        item
        for item in found.values()
        if _merged(Instrument(symbol=item.symbol), item) != Instrument(symbol=item.symbol)
    ]


def _instrument(row: Row, columns: Mapping[str, Sequence[str]], symbol: str, where: str) -> Instrument:
    """Return the instrument that one row describes."""
    name = symbol
    if "symbol" in columns:
        title, name = _cell(row, columns["symbol"])
        if _NUMERIC_SYMBOL.fullmatch(name):
            rule = f"must be text, is the number {name}: leading zeros are lost"
            raise InvalidRequestError.field(f"{where}: {title}", rule)
        where = f"{where} ({name[:64]})" if name else where
    if reason := reason_invalid(name):
        raise InvalidRequestError.field(f"{where}: symbol", reason)
    values: dict[str, Any] = {}
    for field, names in columns.items():
        if field == "symbol":
            continue
        title, text = _cell(row, names)
        if text.casefold() not in _UNSTATED:
            values[field] = _value(field, text, f"{where}: {title}")
    if "local_name" not in values and any(ord(sign) >= _LOCAL_SCRIPTS for sign in values.get("name", "")):
        values["local_name"] = values.pop("name")
    return Instrument(symbol=name, **values)


def _cell(row: Row, titles: Sequence[str]) -> tuple[str, str]:
    """Return title and text of the first of some columns that is not empty."""
    for title in titles:
        text = (row.get(title) or "").strip()
        if text:
            return title, text
    return titles[0], ""


def _value(field: str, text: str, where: str) -> str | float | int:
    """Return the value of a field.

    Raises:
        InvalidRequestError: it breaks the field's rule.
    """
    match field:
        case "tick_size":
            return _number(text, where, MAX_TICK)
        case "price_limit":
            share = _number(text.removesuffix("%").strip(), where, 100.0)
            share = share / 100 if text.endswith("%") else share
            if share > 1:
                raise InvalidRequestError.field(where, f"must be at most 1, is {text}: write 0.3 or 30%")
            return share
        case "price_decimals":
            whole = _WHOLE.fullmatch(text)
            if whole is None or int(whole[1]) > MAX_DECIMALS:
                raise InvalidRequestError.field(where, f"must be 0-{MAX_DECIMALS}, is {text!r}")
            return int(whole[1])
        case "time_zone":
            return _zone(text, where)
        case "exchange":
            text = code_of(text)
        case "currency":
            text = _CURRENCIES.get(text, text.upper() if text.islower() else text)
    if len(text) > MAX_TEXT[field]:
        raise InvalidRequestError.field(
            where, f"must have at most {MAX_TEXT[field]} characters, has {len(text)}"
        )
    return text


def _number(text: str, where: str, most: float) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else 0.0
    if not 0 < value <= most:
        raise InvalidRequestError.field(where, f"must be a number above 0 and at most {most:g}, is {text!r}")
    return value


def _zone(text: str, where: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise InvalidRequestError.field(where, f"must be an IANA time zone, is {text!r}") from None
    return text


def _stated(item: Instrument) -> dict[str, Any]:
    return {name: value for name, value in asdict(item).items() if value not in ("", None, ())}


def _merged(before: Instrument, newer: Instrument) -> Instrument:
    return replace(before, **_stated(newer))


def _check_equal(before: Instrument, item: Instrument, where: str) -> None:
    """Check that two rows of one symbol do not contradict each other.

    Raises:
        InvalidRequestError: they do.
    """
    stated = _stated(before)
    for name, value in _stated(item).items():
        if stated.get(name, value) != value:
            rule = f"must be equal in all rows of {item.symbol}, is {value!r} after {stated[name]!r}"
            raise InvalidRequestError.field(f"{where}: {name}", rule)


def _normal(title: str) -> str:
    """Return a title without what does not matter."""
    return re.sub(r"[\s_\-]+", "", title.casefold())
