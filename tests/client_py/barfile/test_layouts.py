"""Titles and columns of files of bars."""

from datetime import UTC, datetime

import pytest
from bar_text import NEW_YORK, PRICES, TITLES, closes, day_rows, note
from glasstape.barfile import BarFileError, BarFileOptions
from glasstape.barfile.arguments import make_options


def layout(text, **more):
    return pytest.param(text, more, id=text.splitlines()[0][:40])


@pytest.mark.parametrize(
    ("text", "more"),
    [
        layout("Date, Close/Last, Volume, Open, High, Low\n03/15/2024, $10.5, 1000, $10, $11, $9\n"),
        layout('"Date","Price","Open","High","Low","Vol.","Change %"\n'
               '"Mar 15, 2024","10.5","10","11","9","1.00K","1%"\n'),
        layout("Price,Close,High,Low,Open,Volume\nTicker,ABC,ABC,ABC,ABC,ABC\nDate,,,,,\n2024-03-15,10.5,11,9,10,1000\n"),
        layout("Date ,series ,OPEN ,HIGH ,LOW ,PREV. CLOSE ,ltp ,close ,vwap ,VOLUME \n"
               '15-Mar-2024,EQ,10,11,9,9,10,10.5,10,"1,000"\n'),
        layout(",Open,High,Low,Close,Volume\n2024-03-15,10,11,9,10.5,1000\n"),
        layout("__index_level_0__,Open,High,Low,Close,Volume\n2024-03-15,10,11,9,10.5,1000\n"),
        layout("date;open;high;low;close;volume\n15.03.2024;10,0;11,0;9,0;10,5;1000\n"),
        layout("date\topen\thigh\tlow\tclose\tvolume\n2024-03-15\t10\t11\t9\t10.5\t1000\n"),
        layout("sep=;\ndate;open;high;low;close;volume\n2024-03-15;10;11;9;10,5;1000\n"),
        layout("Symbol: ABC\n\ndate,open,high,low,close,volume\n2024-03-15,10,11,9,10.5,1000\n"),
        layout("일자,종가,대비,등락률,시가,고가,저가,거래량,거래대금\n2024/03/15,10.5,1,2,10,11,9,1000,5\n"),
        layout("date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n"
               "2024-03-15,10.5,11,9,10,1000,10.5,11,9,10,1000,0,1\n"),
        layout("timestamp,1. open,2. high,3. low,4. close,5. volume\n2024-03-15,10,11,9,10.5,1000\n"),
        layout("2024-03-15,10,11,9,10.5,1000\n2024-03-18,10,11,9,10.5,1000\n"),
        layout("ABC;20240315;10;11;9;10.5;1000\nABC;20240318;10;11;9;10.5;1000\n"),
    ],
)  # fmt: skip
def test_vendor_layouts_are_read(read, text, more):
    bar = read(text, **NEW_YORK, **more).bars[0]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10.0, 11.0, 9.0, 10.5, 1000.0)
    assert bar.close_time == datetime(2024, 3, 15, 20, 0, tzinfo=UTC)
    assert bar.symbol == "ABC"


@pytest.mark.parametrize(
    "text",
    [
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nABC,1,20240315,093100,10,11,9,10.5,1000\n",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.03.15\t09:31:00\t10\t11\t9\t10.5\t1000\t0\t2\n",
        "2024.03.15,09:31,10,11,9,10.5,1000\n2024.03.15,09:32,10,11,9,10.5,1000\n",
        "Date,Time,Open,High,Low,Close,Volume\n2024-03-15,93100,10,11,9,10.5,1000\n",
        "일자,시간,시가,고가,저가,종가,거래량\n2024년 3월 15일,오전 9:31,10,11,9,10.5,1000\n",
        "date,open,high,low,close,volume\n20240315 093100,10,11,9,10.5,1000\n",
        "date,open,high,low,close,volume\n202403150931,10,11,9,10.5,1000\n",
        "time,open,high,low,close,Volume\n1710509460,10,11,9,10.5,1000\n",
        "time,open,high,low,close,Volume\n2024-03-15T09:31:00-04:00,10,11,9,10.5,1000\n",
        "Gmt time,Open,High,Low,Close,Volume\n15.03.2024 13:31:00.000,10,11,9,10.5,1000\n",
        "Local time,Open,High,Low,Close,Volume\n15.03.2024 22:31:00.000 GMT+0900,10,11,9,10.5,1000\n",
        "1710509400000,10,11,9,10.5,1000,1710509459999,480,3,1,2,0\n1710509460000,10,11,9,10.5,1000,1710509519999,4,3,1,2,0\n",
        "open_time,open,high,low,close,volume\n1710509400000,10,11,9,10.5,1000\n",
    ],
)
def test_intraday_layouts_are_read(read, text):
    bar = read(text, "1m", time_zone="" if "Gmt time" in text else "America/New_York").bars[0]
    assert bar.close_time == datetime(2024, 3, 15, 13, 31, tzinfo=UTC)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10.0, 11.0, 9.0, 10.5, 1000.0)


def test_title_lines_of_several_symbols_side_by_side_are_refused(read):
    text = "Price,Close,Close\nTicker,A,B\nDate,,\n2024-03-15,1,2\n"
    with pytest.raises(BarFileError, match="several symbols side by side"):
        read(text)


def test_an_unknown_column_that_repeats_texts_is_asked_about(read):
    text = (
        "thing,"
        + day_rows()
        + "".join(f"{s},2024-06-{d},{PRICES}\n" for s in ("AAA", "BBB") for d in (24, 25))
    )
    with pytest.raises(BarFileError, match=r"is 'thing' \(AAA, BBB\) the symbol\? Set --column symbol=thing"):
        read(text, **NEW_YORK)
    assert {bar.symbol for bar in read(text, **NEW_YORK, column=["symbol=thing"]).bars} == {"AAA", "BBB"}
    assert {bar.symbol for bar in read(text, **NEW_YORK, ignore_column=["thing"], symbol="X").bars} == {"X"}


def test_a_known_title_of_texts_is_asked_about_where_no_column_holds_symbols(read):
    text = f"{TITLES.replace('symbol,', '').strip()},Name\n" + "".join(
        f"2024-06-{day},{PRICES},{name}\n" for day in (24, 25) for name in ("AAL", "AAPL")
    )
    with pytest.raises(BarFileError, match=r"is 'Name' \(AAL, AAPL\) the symbol\?"):
        read(text, **NEW_YORK)
    assert {bar.symbol for bar in read(text, **NEW_YORK, column=["symbol=Name"]).bars} == {"AAL", "AAPL"}


def test_markets_without_volume_say_so(read):
    text = "date,open,high,low,close\n2024-06-26,10,11,9,10.5\n"
    with pytest.raises(BarFileError, match=r"no column for volume; .* or set --no-volume"):
        read(text, **NEW_YORK)
    assert read(text, **NEW_YORK, no_volume=True).bars[0].volume == 0.0
    assert (
        read(day_rows("2024-06-26", prices="10,11,9,10.5,-"), **NEW_YORK, no_volume=True).bars[0].volume
        == 0.0
    )


def test_columns_can_be_named(read):
    text = "when,first,top,bottom,final,size\n" + f"2024-06-26,{PRICES}\n"
    with pytest.raises(BarFileError, match="no column for high, low, close, volume; has 'when'"):
        read(text, **NEW_YORK, column=["time=when", "open=first"])
    names = ("time=when", "open=first", "high=top", "low=bottom", "close=final", "volume=size")
    assert read(text, **NEW_YORK, column=names).bars[0].close == 10.5
    for option, rule in (
        ("price=first", "with a key of symbol, time"),
        ("open", "must be KEY=TITLE"),
        ("open=none", "no column is titled"),
    ):
        with pytest.raises(BarFileError, match=rule):
            read(text, **NEW_YORK, column=[option])


def test_prices_are_adjusted_by_one_rule(read):
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-06-26,400,404,396,402,100.5,1000\n"
    file = read(text, **NEW_YORK)
    assert (file.bars[0].open, file.bars[0].close) == (100.0, 100.5)
    assert note(file, "prices are multiplied by 'Adj Close' / 'Close'")
    assert read(text, **NEW_YORK, ignore_column=["Adj Close"]).bars[0].close == 402.0


def test_options_name_themselves_in_errors():
    for values, text in (
        ({"stamp": "middle"}, "--stamp: must be open or close, is 'middle'"),
        ({"decimal": ";"}, "--decimal: must be . or ,, is ';'"),
        ({"rename": ["A"]}, "--rename: must be FROM=TO, is 'A'"),
        ({"rename": ["A=B", "A=C"]}, "--rename: A is named twice"),
        ({"night_start": "late"}, "--night-start: must be HH:MM"),
    ):
        with pytest.raises(BarFileError) as refused:
            make_options(values)
        assert text in str(refused.value)
    assert make_options({"rename": ["EURUSD=X=EURUSD"]}).renames == {"EURUSD=X": "EURUSD"}
    assert make_options({}) == BarFileOptions()


def test_a_title_that_states_utc_is_not_overridden(read):
    text = "Gmt time,Open,High,Low,Close,Volume\n15.03.2024 13:31:00.000,10,11,9,10.5,120.5\n"
    with pytest.raises(BarFileError, match="the title of the times states UTC"):
        read(text, "1m", time_zone="America/New_York")


def test_numeric_codes_of_an_unknown_title_are_asked_about(read):
    rows = [
        f"{code},2024-0{month}-{day},{PRICES}\n"
        for code, month in ((10107, 2), (14593, 3))
        for day in (26, 27)
    ]
    with pytest.raises(BarFileError, match=r"is 'isin_no' \(10107, 14593\) the symbol\?"):
        read("isin_no," + day_rows() + "".join(rows), **NEW_YORK)
    counts = "".join(f"2024-03-{day:02d},{PRICES},{100 + day}\n" for day in (4, 5, 6, 7))
    assert read(day_rows().strip() + ",orders\n" + counts, **NEW_YORK).bars


def test_what_files_without_titles_do_not_prove_is_not_read(read):
    codes = "600519,2024-03-13,10,11,9,10.5,1000\n000001,2024-03-13,10,11,9,10.5,1000\n"
    assert [bar.symbol for bar in read(codes, **NEW_YORK).bars] == ["600519", "000001"]
    with pytest.raises(BarFileError, match="add a line of titles"):
        read("2024-03-13,171.1,172.6,170.2,172.6,86.3,121752700\n", **NEW_YORK)


def test_a_date_beside_a_time_stamp_is_asked_about(read):
    text = "Date,Open,High,Low,Close,Volume,Timestamp\n2024-03-11,10,11,9,10.5,5,2024-03-12 06:00:00\n"
    with pytest.raises(
        BarFileError, match=r"columns 'Date' and 'Timestamp' may both .* --column date=Date clock=Ti"
    ):
        read(text, **NEW_YORK)
    assert closes(read(text, **NEW_YORK, column=["time=Date"])) == ["2024-03-11 20:00"]
    text = "일자,체결시간,시가,고가,저가,종가,거래량\n20240315,093100,10,11,9,10.5,5\n"
    columns = ["date=일자", "clock=체결시간"]
    assert closes(read(text, "1m", time_zone="Asia/Seoul", column=columns)) == ["2024-03-15 00:31"]


def test_rows_above_the_titles_and_titles_of_another_order_are_refused(read):
    row = f"2024-03-11,{PRICES}\n"
    with pytest.raises(BarFileError, match="line 1 holds a row above the titles of line 2"):
        read(row + day_rows("2024-03-12"), **NEW_YORK)
    with pytest.raises(BarFileError, match="line 3 holds other titles than the first"):
        read(day_rows("2024-03-11") + "Date,Close,High,Low,Open,Volume\n" + row, **NEW_YORK)


def test_a_symbol_beside_a_column_of_symbols_is_refused(read):
    with pytest.raises(BarFileError, match="--symbol X: the column 'symbol' holds the symbols"):
        read(f"{TITLES}A,2024-03-11,{PRICES}\n", **NEW_YORK, symbol="X")
