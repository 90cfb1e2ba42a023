"""Korea Investment & Securities: history against a local server that speaks the Open API."""

import argparse
from datetime import datetime, timedelta

import pytest
from glasstape.sources import CredentialsError, UnknownSymbolError
from kis_answers import (
    DAYS,
    KEY,
    MINUTES,
    QUOTATIONS,
    SECRET,
    closes,
    day_row,
    history,
    minute_row,
    minutes_of,
    ok,
)
from source_markets import moment

pytest.importorskip("aiohttp")
pytest.importorskip("exchange_calendars")

from glasstape.sources.kis import KisSource


async def test_minutes_are_stamped_by_their_close(market, make_kis):
    rows = [
        minute_row("20251112085900"),
        minute_row("20251112090000", 71000, 7),
        minute_row("20251112151900"),
    ]
    rows.append(minute_row("20251112153000", 72000, 500))  # the closing auction
    rows.append(minute_row("20251112154000"))  # after hours
    market.routes[MINUTES] = minutes_of(rows)
    first, *_, last = bars = await history(make_kis(), "1m", "2025-11-12T00:00", "2025-11-12T09:00")
    assert closes(bars) == ["12 00:01", "12 06:20", "12 06:30"]
    assert (first.symbol, first.open, first.high, first.low, first.volume) == (
        "005930",
        71000,
        71100,
        70900,
        7,
    )
    assert (last.close, last.volume, last.provisional) == (72000, 500, False)
    _, _, headers, _ = market.requests[-1]
    assert (headers["tr_id"], headers["appkey"], headers["authorization"]) == (
        "FHKST03010230",
        KEY,
        "Bearer TOKEN",
    )


async def test_the_closing_auction_belongs_to_the_last_bar(market, make_kis):
    rows = [minute_row(f"202511121{time}00", price) for time, price in (("500", 1), ("519", 2), ("530", 3))]
    market.routes[MINUTES] = minutes_of(rows)
    for interval, expected in [("10m", ["12 06:10", "12 06:20", "12 06:30"]), ("30m", ["12 06:30"])]:
        assert closes(await history(make_kis(), interval, "2025-11-12T00:00", "2025-11-12T07:00")) == expected
    (hour,) = await history(make_kis(), "1h", "2025-11-12T00:00", "2025-11-12T07:00")
    assert (hour.close_time, hour.open, hour.close, hour.volume) == (moment("2025-11-12T06:30"), 1, 3, 30)


async def test_examination_days_trade_an_hour_later(market, make_kis):
    stamps = ("090000", "100000", "153000", "161900", "163000", "164000")
    market.routes[MINUTES] = minutes_of([minute_row("20251113" + stamp) for stamp in stamps])
    market.routes[DAYS] = ok([day_row("20251113")])
    bars = await history(make_kis(), "1m", "2025-11-13T00:00", "2025-11-13T12:00")
    assert closes(bars) == ["13 01:01", "13 06:31", "13 07:20", "13 07:30"]
    (day,) = await history(make_kis(), "1d", "2025-11-12T06:30", "2025-11-13T12:00")
    assert day.close_time == moment("2025-11-13T07:30")


async def test_a_session_takes_several_answers(market, make_kis):
    opened = datetime(2025, 11, 12, 9)
    stamps = [f"{opened + timedelta(minutes=number):%Y%m%d%H%M%S}" for number in range(380)]
    market.routes[MINUTES] = minutes_of([minute_row(stamp, price) for price, stamp in enumerate(stamps, 100)])
    bars = await history(make_kis(), "1m", "2025-11-11T12:00", "2025-11-12T12:00")
    assert [bar.close for bar in bars] == list(range(100, 480))
    hours = [query["FID_INPUT_HOUR_1"] for path, query, *_ in market.requests if path == MINUTES]
    assert hours == ["153000", "131900", "111900", "091900"]


async def test_minutes_without_trades_have_no_bar(market, make_kis):
    rows = [minute_row("20251112152000", volume=0), minute_row("20251112153000")]
    market.routes[MINUTES] = minutes_of(rows)
    assert closes(await history(make_kis(), "1m", "2025-11-12T00:00", "2025-11-12T12:00")) == ["12 06:30"]


@pytest.mark.parametrize(
    ("now", "last"),
    [("02:03:04", "02:02"), ("02:03:05", "02:03"), ("06:30:59", "06:20"), ("06:31:00", "06:30")],
)
async def test_a_minute_is_final_seconds_after_its_close(market, make_kis, now, last):
    stamps = ("110100", "110200", "110300", "151900", "153000")
    rows = [minute_row("20251112" + stamp) for stamp in stamps]
    seoul = f"20251112{int(now[:2]) + 9:02}{now[3:5]}00"
    market.routes[MINUTES] = minutes_of([row for row in rows if "20251112" + row["stck_cntg_hour"] <= seoul])
    now = f"2025-11-12T{now}"
    bars = await history(make_kis(now), "1m", "2025-11-12T00:00", now)
    assert f"{bars[-1].close_time:%H:%M}" == last


async def test_minutes_of_more_than_a_year_ago_are_not_requested(market, make_kis, caplog):
    market.routes[MINUTES] = minutes_of([minute_row("20241118153000")])
    bars = await history(make_kis(), "1m", "2023-01-01T00:00", "2024-11-19T00:00")
    assert closes(bars) == ["18 06:30"]
    assert len([path for path, *_ in market.requests if path == MINUTES]) <= 6
    assert "bars of 005930 begin on 2024-11-14, not on 2023-01-01" in caplog.text


async def test_days_close_with_the_session_and_weeks_with_its_last(market, make_kis):
    days = ("20251110", "20251111", "20251112", "20251113")
    rows = [day_row(day, price, price) for price, day in enumerate(days, 100)]
    market.routes[DAYS] = lambda query: ok(
        [
            r
            for r in rows[::-1]
            if query["FID_INPUT_DATE_1"] <= r["stck_bsop_date"] <= query["FID_INPUT_DATE_2"]
        ]
        + [{}]
    )
    bars = await history(make_kis(), "1d", "2025-11-10T06:30", "2025-11-13T12:00")
    assert closes(bars) == ["11 06:30", "12 06:30", "13 07:30"]
    assert [bar.volume for bar in bars] == [101, 102, 103]
    rows.append(day_row("20251114", 90))
    (week,) = await history(make_kis("2025-11-15T00:00"), "1w", "2025-11-12T00:00", "2025-11-15T00:00")
    assert (week.close_time, week.open, week.high, week.close) == (moment("2025-11-14T06:30"), 100, 203, 90)


async def test_a_day_is_final_once_trading_after_hours_ended(market, make_kis):
    market.routes[DAYS] = ok([day_row("20251112")])
    for now, count in [("09:14:59", 0), ("09:15:00", 1)]:
        now = f"2025-11-12T{now}"
        assert len(await history(make_kis(now), "1d", "2025-11-11T06:30", now)) == count


async def test_long_histories_take_several_answers(market, make_kis):
    market.routes[DAYS] = lambda query: ok([day_row(query["FID_INPUT_DATE_1"])])
    await history(make_kis(), "1d", "2025-01-02T06:30", "2025-11-12T07:00")
    ranges = [
        (query["FID_INPUT_DATE_1"], query["FID_INPUT_DATE_2"])
        for path, query, *_ in market.requests
        if path == DAYS
    ]
    assert ranges == [
        ("20250102", "20250411"),
        ("20250412", "20250720"),
        ("20250721", "20251028"),
        ("20251029", "20251112"),
    ]


async def test_adjusted_prices_are_an_option(market, make_kis):
    market.routes[DAYS] = ok([])
    for adjusted, code in [(False, "1"), (True, "0")]:
        await history(make_kis(adjusted=adjusted), "1d", "2025-11-11T06:30", "2025-11-12T07:00")
        assert market.requests[-1][1]["FID_ORG_ADJ_PRC"] == code


async def test_a_suspended_symbol_keeps_its_days_and_not_its_weeks_low(market, make_kis):
    suspended = day_row("20251112", volume=0) | {"stck_oprc": "0", "stck_hgpr": "0", "stck_lwpr": "0"}
    market.routes[DAYS] = ok([suspended, day_row("20251111", 1000)])
    bars = await history(make_kis(), "1d", "2025-11-10T06:30", "2025-11-13T00:00")
    assert [(bar.open, bar.close, bar.volume) for bar in bars] == [(1000, 1000, 10), (0, 71900, 0)]
    (week,) = await history(make_kis("2025-11-17T00:00"), "1w", "2025-11-10T06:30", "2025-11-17T00:00")
    assert (week.low, week.high, week.close) == (900, 1100, 1000)


async def test_instruments_are_described(market, make_kis):
    market.routes[DAYS] = ok([])
    market.routes[f"{QUOTATIONS}/inquire-price"] = {
        "rt_cd": "0",
        "output": {"stck_prpr": "71900", "rprs_mrkt_kor_name": "KOSPI200", "bstp_kor_isnm": "전기·전자"},
    }
    (samsung,) = await make_kis().instruments(["005930"])
    assert (samsung.symbol, samsung.local_name, samsung.exchange) == ("005930", "삼성전자", "XKRX")
    assert (samsung.currency, samsung.time_zone, samsung.industry) == ("KRW", "Asia/Seoul", "전기·전자")
    market.routes[f"{QUOTATIONS}/inquire-price"]["output"]["rprs_mrkt_kor_name"] = "KSQ150"
    assert (await make_kis().instruments(["247540"]))[0].exchange == "XKOS"


async def test_unknown_and_delisted_symbols_are_named(market, make_kis):
    market.routes[DAYS] = ok([{}], {"stck_prpr": "0", "hts_kor_isnm": ""})
    with pytest.raises(UnknownSymbolError, match=r"^999999: KIS has no such symbol: unknown or delisted$"):
        await history(make_kis(), "1d", "2025-11-11T06:30", "2025-11-12T07:00", "999999")
    with pytest.raises(UnknownSymbolError, match=r"^5930: expected 6 or 7 digits"):
        await history(make_kis(), "1d", "2025-11-11T06:30", "2025-11-12T07:00", "5930")


def test_options_make_a_source(monkeypatch):
    parser = argparse.ArgumentParser()
    KisSource.add_arguments(parser)
    monkeypatch.setenv("KIS_APP_KEY", KEY)
    monkeypatch.setenv("KIS_APP_SECRET", SECRET)
    assert isinstance(KisSource.from_options(parser.parse_args(["--demo"])), KisSource)
    monkeypatch.delenv("KIS_APP_SECRET")
    with pytest.raises(CredentialsError, match="KIS_APP_SECRET not found"):
        KisSource.from_options(parser.parse_args([]))
