"""Titles of columns: one table for English, Korean, MetaTrader, exchanges and vendors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from glasstape.barfile.errors import BarFileError
from glasstape.barfile.options import ROLES, BarFileOptions

PRICES = ("open", "high", "low", "close")
REQUIRED = (*PRICES, "volume")

# The first title of a role that a file has is taken; titles are compared as `normalized`.
_TITLES: dict[str, tuple[str, ...]] = {
    "symbol": (
        "symbol", "ticker", "code", "instrument id", "stock code", "종목코드", "단축코드", "표준코드", "종목 코드",
        "코드", "티커", "심볼", "종목",
    ),
    "time": (
        "close time", "closetime", "datetime", "date time", "timestamp", "time stamp", "unix", "unix timestamp",
        "open time", "opentime", "window start", "ts event", "bar time", "candle begin time", "gmt time", "local time",
        "utc time", "date gmt", "일시", "날짜시간", "체결일시", "체결시간", "시각",
    ),
    "date": (
        "date", "dtyyyymmdd", "day", "trade date", "trading date", "trading day", "session", "일자", "날짜", "거래일",
        "거래일자", "영업일자", "기준일", "년/월/일", "일 자",
    ),
    "clock": ("time", "timeofday", "시간", "분"),
    "open": ("open", "o", "open price", "opening price", "1 open", "시가"),
    "high": ("high", "h", "max", "high price", "day high", "2 high", "고가"),
    "low": ("low", "l", "min", "low price", "day low", "3 low", "저가"),
    "close": ("close", "c", "close/last", "close price", "closing price", "last", "4 close", "종가", "현재가"),
    "volume": (
        "volume", "vol", "v", "5 volume", "trade volume", "volume traded", "total volume", "tot vol", "tickvol",
        "tick volume", "base volume", "shares traded", "거래량", "누적거래량",
    ),
    "adjusted": ("adj close", "adjclose", "adjusted close", "close adj", "5 adjusted close", "수정종가", "수정주가"),
}  # fmt: skip
_OTHERS = frozenset({
    "change", "change %", "chg%", "%chg", "net change", "prev close", "previous close", "vwap", "wap", "average",
    "amount", "value", "turnover", "quote volume", "quote asset volume", "number of trades", "trades", "tradecount",
    "transactions", "trade count", "taker buy base asset volume", "taker buy quote asset volume", "ignore", "spread",
    "openint", "open interest", "oi", "dividends", "dividend", "dividend amount", "stock splits", "split coefficient",
    "capital gains", "adj open", "adj high", "adj low", "adj volume", "divcash", "splitfactor", "adjopen", "adjhigh",
    "adjlow", "adjvolume", "count", "per", "대비", "전일비", "등락", "등락률", "거래대금", "시가총액",
    "상장주식수", "전일종가", "대비기호", "소속부", "업종", "종목명", "시장", "시장구분", "name",
    "local name", "exchange", "market", "currency",
    "time zone", "timezone", "tick size", "sector", "industry", "interval", "timeframe", "series", "provisional",
    "halted", "price decimals", "price limit", "open interest change", "rtype", "publisher id", "vwapprice", "ltp",
})  # fmt: skip
"""Titles that are known and hold no part of a bar, as `normalized`."""
_STAMPS: dict[str, Literal["open", "close"]] = {
    "close time": "close", "closetime": "close", "open time": "open", "opentime": "open", "window start": "open",
    "candle begin time": "open", "ts event": "open",
}  # fmt: skip
"""Titles that state what their times are."""
_STAMPS_OR_CLOCKS = frozenset({"timestamp", "time stamp", "일시", "체결일시", "체결시간", "시각"})
"""Titles of times that are a time of day, or when a row was written, where a column of dates stands beside them."""
_INDEXES = frozenset({"", "index level 0", "unnamed: 0", "index"})
"""Titles that data frames give to an index without a name, as `normalized`."""
_UTC_TITLES = frozenset({"gmt time", "utc time", "date gmt"})


def normalized(title: str) -> str:
    """Return a title as it is compared: lower case, `_`, `-` and `.` as blanks, without `<>*` and quotes."""
    text = re.sub(r"[<>*\"'\ufeff]", "", title)
    text = re.sub(r"^(?:[0-9]+)\. ", lambda match: match[0].replace(".", ""), text.strip())
    return re.sub(r"[\s_.\-\u00a0]+", " ", text).strip().lower()


KNOWN = frozenset(name for names in _TITLES.values() for name in names) | _OTHERS
"""All known titles, as `normalized`."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Roles of a file's columns."""

    by_role: dict[str, int]
    """Position by role."""
    titles: tuple[str, ...]
    stamp: Literal["", "open", "close"] = ""
    """What the title of the times states."""
    utc: bool = False
    """Whether the title of the times states UTC."""
    unclaimed: tuple[int, ...] = field(default=())
    """Positions of columns with unknown titles."""

    @property
    def roles(self) -> dict[str, str]:
        """Title by role."""
        return {role: self.titles[position] for role, position in self.by_role.items()}


def is_title_line(cells: Sequence[str]) -> bool:
    """Return whether a line holds titles: known ones for a time and at least two prices."""
    names = {normalized(cell) for cell in cells}

    def has(*roles: str) -> int:
        return sum(not names.isdisjoint(_TITLES[role]) for role in roles)

    return has(*PRICES) + ("price" in names) >= 2 and bool(has("time", "date", "clock") or names & _INDEXES)


def columns_of(titles: Sequence[str], options: BarFileOptions, where: str) -> Columns:
    """Return the roles of columns by their titles.

    Args:
        titles: of the file.
        options: may name columns by role, and columns to ignore.
        where: the file, for messages.

    Raises:
        BarFileError: a role has no column or two, or a named column does not exist.
    """
    names = [normalized(title) for title in titles]
    ignored = {_position(titles, names, title, "--ignore-column", where) for title in options.ignored}
    by_role = {
        _checked_role(role): _position(titles, names, title, f"--column {role}", where)
        for role, title in options.columns.items()
    }
    free = {position for position in range(len(names)) if position not in {*ignored, *by_role.values()}}
    for role in ROLES:
        if role not in by_role:
            found = _find(role, names, titles, free, where)
            if found is not None:
                by_role[role] = found
                free.discard(found)
    _settle_close(by_role, names, free)
    if not {"time", "date"} & options.columns.keys() and {"time", "date"} <= by_role.keys():
        stamp = by_role["time"]
        if names[stamp] in _STAMPS_OR_CLOCKS:
            date = titles[by_role["date"]].strip()
            raise BarFileError(
                f"{where}: columns {date!r} and {titles[stamp].strip()!r} may both hold the times: name one with "
                f"--column time=TITLE, or both with --column date={date} clock={titles[stamp].strip()}"
            )
    _settle_time(by_role, names, free)
    missing = [role for role in REQUIRED if role not in by_role]
    if options.no_volume:
        missing = [role for role in missing if role != "volume"]
    if "time" not in by_role and "date" not in by_role:
        missing.insert(0, "time")
    if missing:
        shown = ", ".join(repr(title) for title in titles[:30])
        raise BarFileError(
            f"{where}: no column for {', '.join(missing)}; has {shown}; "
            f"name one with --column {missing[0]}=TITLE"
            + (", or set --no-volume if the market reports none" if missing == ["volume"] else "")
        )
    time = names[by_role.get("time", by_role.get("date", 0))]
    # Without a column of symbols, any column of texts may be it, whatever its title.
    unclaimed = tuple(
        sorted(position for position in free if "symbol" not in by_role or names[position] not in KNOWN)
    )
    return Columns(
        {role: by_role[role] for role in ROLES if role in by_role},
        tuple(titles),
        _STAMPS.get(time, ""),
        time in _UTC_TITLES,
        unclaimed,
    )


def _checked_role(role: str) -> str:
    if role not in ROLES:
        raise BarFileError(f"--column: must be KEY=TITLE with a key of {', '.join(ROLES)}, has {role!r}")
    return role


def _position(titles: Sequence[str], names: Sequence[str], title: str, option: str, where: str) -> int:
    exact = [position for position, each in enumerate(titles) if each.strip() == title.strip()]
    found = exact or [position for position, each in enumerate(names) if each == normalized(title)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BarFileError(f"{where}: {option}: {len(found)} columns are titled {title!r}; remove one")
    shown = ", ".join(repr(each) for each in titles[:30])
    raise BarFileError(f"{where}: {option}: no column is titled {title!r}; has {shown}")


def _find(role: str, names: Sequence[str], titles: Sequence[str], free: set[int], where: str) -> int | None:
    for name in _TITLES[role]:
        found = [position for position in sorted(free) if names[position] == name]
        if len(found) > 1:
            both = " and ".join(repr(titles[position]) for position in found)
            raise BarFileError(
                f"{where}: columns {both} are both named {name}; remove one, or name one with "
                f"--column {role}=TITLE and the others with --ignore-column TITLE"
            )
        if found:
            return found[0]
    return None


def _settle_close(by_role: dict[str, int], names: Sequence[str], free: set[int]) -> None:
    """Take the column Price as the close of files without one; so Investing.com writes."""
    prices = [position for position in free if names[position] == "price"]
    if "close" not in by_role and len(prices) == 1:
        by_role["close"] = prices[0]
        free.discard(prices[0])


def _settle_time(by_role: dict[str, int], names: Sequence[str], free: set[int]) -> None:
    """Take a lone Time column, or an untitled first one (a data frame's index), as the times."""
    if "time" in by_role:
        # The date beside a full time stamp repeats it.
        by_role.pop("date", None)
        by_role.pop("clock", None)
        return
    if "date" not in by_role and "clock" in by_role:
        by_role["time"] = by_role.pop("clock")
    elif "date" in by_role and "clock" not in by_role:
        by_role["time"] = by_role.pop("date")
    elif "date" not in by_role and names and 0 in free and names[0] in _INDEXES:
        by_role["time"] = 0
        free.discard(0)
