"""Quotes, minutes and days of Korean stocks, from the Open API of Korea Investment & Securities."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from glasstape.sources.errors import SourceUnavailableError, UnknownSymbolError
from glasstape.sources.kis_http import KisHttp
from glasstape.sources.rows import Row

SEOUL = ZoneInfo("Asia/Seoul")
DAYS_PER_REQUEST = 100
"""Calendar days, hence fewer sessions than the 100 that an answer holds."""
_QUOTATIONS = "/uapi/domestic-stock/v1/quotations"
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


class KisRest:
    """Requests for the history of stocks of the Korea Exchange."""

    def __init__(self, http: KisHttp) -> None:
        self._http = http

    async def price(self, symbol: str) -> Mapping[str, Any]:
        """Return the quote of a symbol, with its market and industry.

        Raises:
            UnknownSymbolError: there is no such symbol.
            SourceUnavailableError: retrying may help.
        """
        query = {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": symbol}
        answer = await self._http.get(f"{_QUOTATIONS}/inquire-price", "FHKST01010100", query)
        return _known(symbol, answer.get("output"))

    async def name(self, symbol: str, day: date) -> str:
        """Return the Korean name of a symbol.

        Raises:
            UnknownSymbolError: there is no such symbol.
            SourceUnavailableError: retrying may help.
        """
        answer = await self._days(symbol, day, day, adjusted=False)
        return str(_known(symbol, answer.get("output1")).get("hts_kor_isnm") or "").strip()

    async def days(self, symbol: str, first: date, last: date, *, adjusted: bool) -> AsyncIterator[list[Row]]:
        """Yield pages of daily rows, oldest first, stamped by their date.

        Raises:
            UnknownSymbolError: there is no such symbol.
            SourceUnavailableError: retrying may help.
        """
        while first <= last:
            until = min(first + (DAYS_PER_REQUEST - 1) * _DAY, last)
            answer = await self._days(symbol, first, until, adjusted=adjusted)
            _known(symbol, answer.get("output1"))
            yield sorted(row for row in _rows(answer, _day_row) if first <= row.stamp <= until)
            first = until + _DAY

    async def minutes(self, symbol: str, opened: datetime, closed: datetime) -> list[Row]:
        """Return the minutes of one session in which the symbol traded, oldest first, stamped by their start.

        An answer holds 120 minutes up to the requested one.

        Raises:
            UnknownSymbolError: there is no such symbol.
            SourceUnavailableError: retrying may help.
        """
        rows: dict[datetime, Row] = {}
        until = closed.astimezone(SEOUL)
        while until >= opened:
            query = {
                "FID_COND_MRKT_DIV_CODE": "J",
                "FID_INPUT_ISCD": symbol,
                "FID_INPUT_DATE_1": f"{until:%Y%m%d}",
                "FID_INPUT_HOUR_1": f"{until:%H%M%S}",
                "FID_PW_DATA_INCU_YN": "N",
                "FID_FAKE_TICK_INCU_YN": "",
            }
            path = f"{_QUOTATIONS}/inquire-time-dailychartprice"
            answer = await self._http.get(path, "FHKST03010230", query)
            _known(symbol, answer.get("output1"))
            page = {row.opened: row for row in _rows(answer, _minute_row) if opened <= row.opened <= until}
            if not page:
                break
            rows |= page
            until = min(page) - _MINUTE
        return [rows[stamp] for stamp in sorted(rows) if rows[stamp].volume > 0]

    async def _days(self, symbol: str, first: date, last: date, *, adjusted: bool) -> Mapping[str, Any]:
        query = {
            "FID_COND_MRKT_DIV_CODE": "J",
            "FID_INPUT_ISCD": symbol,
            "FID_INPUT_DATE_1": f"{first:%Y%m%d}",
            "FID_INPUT_DATE_2": f"{last:%Y%m%d}",
            "FID_PERIOD_DIV_CODE": "D",
            "FID_ORG_ADJ_PRC": "0" if adjusted else "1",
        }
        return await self._http.get(f"{_QUOTATIONS}/inquire-daily-itemchartprice", "FHKST03010100", query)


def _known(symbol: str, summary: Any) -> Mapping[str, Any]:
    """Return the summary of a symbol, whose price is not 0.

    Raises:
        UnknownSymbolError: the price is 0 or missing, as for symbols that do not exist.
    """
    if not isinstance(summary, dict) or str(summary.get("stck_prpr") or "0").strip("0") == "":
        raise UnknownSymbolError(symbol, "KIS has no such symbol: unknown or delisted")
    return summary


def _rows(answer: Mapping[str, Any], row_of: Callable[[Mapping[str, str]], Row]) -> list[Row]:
    """Return the rows of an answer, which is padded with empty objects.

    Raises:
        SourceUnavailableError: a row lacks a field, or one is not a number.
    """
    try:
        return [row_of(raw) for raw in answer.get("output2") or () if raw]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceUnavailableError(f"kis: a row cannot be read: {error!r}") from None


def _day_row(raw: Mapping[str, str]) -> Row:
    names = ("stck_oprc", "stck_hgpr", "stck_lwpr", "stck_clpr", "acml_vol")
    return Row(
        datetime.strptime(raw["stck_bsop_date"], "%Y%m%d").date(), *(float(raw[name]) for name in names)
    )


def _minute_row(raw: Mapping[str, str]) -> Row:
    stamp = datetime.strptime(raw["stck_bsop_date"] + raw["stck_cntg_hour"], "%Y%m%d%H%M%S")
    names = ("stck_oprc", "stck_hgpr", "stck_lwpr", "stck_prpr", "cntg_vol")
    return Row(stamp.replace(tzinfo=SEOUL), *(float(raw[name]) for name in names))
