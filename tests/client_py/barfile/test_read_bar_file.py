"""What a text file of bars means, by its content."""

import gzip
from datetime import UTC, datetime

import pytest
from glasstape.barfile import BarFileError, BarFileOptions, close_of, read_bar_file
from glasstape.barfile.arguments import make_options

NEW_YORK = {"time_zone": "America/New_York", "close": "16:00"}
TITLES = "symbol,date,open,high,low,close,volume\n"
PRICES = "10,11,9,10.5,1000"


@pytest.fixture
def read(tmp_path):
    """Read a text or bytes; return the file."""

    def read(data, interval="1d", name="ABC.csv", **options):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_bar_file(path, interval, make_options(options))

    return read


def closes(file):
    return [f"{bar.close_time:%Y-%m-%d %H:%M}" for bar in file.bars]


def day_rows(*times, prices=PRICES):
    return "date,open,high,low,close,volume\n" + "".join(f"{time},{prices}\n" for time in times)


def note(file, text):
    return next((each for each in file.notes if text in each), "")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("cp949"),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(text.encode("cp949")),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
    ],
)
def test_text_is_decoded_by_its_content(read, encode):
    text = (
        "종목코드,일자,시가,고가,저가,종가,거래량\n" + "005930,2024-03-04,71000,71500,70500,71200,1000\n" * 3
    )
    (bar, *_) = read(encode(text), **NEW_YORK).bars
    assert (bar.symbol, bar.close, bar.volume) == ("005930", 71_200.0, 1000.0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<html><body>429</body></html>", "is HTML or XML"),
        (b'{"error": "rate limit"}', "is JSON"),
        (b'[{"date": "2024-01-02"}]', "is JSON"),
        (b"PK\x03\x04rest", "a zip archive or a workbook"),
        (b"\xd0\xcf\x11\xe0rest", "a workbook (.xls)"),
        (b"PAR1rest", "is Parquet"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"%PDF-1.7", "a PDF document"),
        (b"", "is empty: there are no bars"),
        (b"\n\n", "is empty: there are no bars"),
        (b"a\x00b,\x00\x00\x00", "holds zero bytes"),
        (b"date,open\n2024-01-02,\xff\xfe\n", "neither UTF-8 nor Korean CP949"),
        (gzip.compress(b"<html>"), "is HTML or XML"),
        (gzip.compress(TITLES.encode())[:-6], "cannot be read"),
        (TITLES.encode(), "there are no bars"),
    ],
)
def test_a_file_of_another_kind_is_named(read, data, text):
    with pytest.raises(BarFileError, match=r"ABC\.csv: ") as refused:
        read(data)
    assert text in str(refused.value)


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


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["05/04/2024", "05/13/2024"], "2024-05-04"),
        (["05/04/2024", "13/05/2024"], "2024-04-05"),
        (["5.4.2024", "13.5.2024"], "2024-04-05"),
    ],
)
def test_day_and_month_are_proved_over_the_whole_column(read, cells, expected):
    assert closes(read(day_rows(*cells), **NEW_YORK))[0].startswith(expected)


def test_an_open_order_of_day_and_month_is_asked_for(read):
    text = day_rows("04/08/2024", "05/08/2024")
    with pytest.raises(BarFileError, match="--date-order dmy or --date-order mdy"):
        read(text, **NEW_YORK)
    assert closes(read(text, **NEW_YORK, date_order="dmy"))[0].startswith("2024-08-04")
    with pytest.raises(BarFileError, match=r"the order of day and month changes: line 2 .* line 3"):
        read(day_rows("13/08/2024", "08/13/2024"), **NEW_YORK)


def test_all_that_is_open_is_asked_for_at_once(read):
    with pytest.raises(BarFileError) as refused:
        read(day_rows("04/08/2024"))
    for option in ("--date-order", "--time-zone", "--close"):
        assert option in str(refused.value)


@pytest.mark.parametrize(
    "midnight", ["2024-03-08", "2024-03-08 00:00", "2024-03-08T00:00:00-05:00", "20240308"]
)
def test_daily_rows_at_local_midnight_are_dates(read, midnight):
    assert closes(read(day_rows(midnight), **NEW_YORK)) == ["2024-03-08 21:00"]


def test_midnight_of_the_zone_is_a_date_however_it_is_written(read):
    assert closes(read(day_rows("2024-03-08T05:00:00Z"), **NEW_YORK)) == ["2024-03-08 21:00"]
    assert closes(read(day_rows("2024-03-08T00:00:00+09:00"), close="15:30")) == ["2024-03-08 06:30"]


def test_dates_beside_times_are_told_apart_row_by_row_and_named(read):
    file = read(day_rows("2024-06-27 00:00:00", "2024-06-28 15:41:00"), **NEW_YORK)
    assert closes(file) == ["2024-06-27 20:00", "2024-06-28 19:41"]
    assert "line 2: '2024-06-27 00:00:00'" in note(file, "some rows are dates")


def test_a_stated_close_makes_midnight_a_time(read):
    rows = day_rows("2024-06-28T00:00:00Z").replace("date,", "close_time,")
    assert closes(read(rows)) == ["2024-06-28 00:00"]
    assert closes(read(day_rows("2024-06-28T00:00:00Z"), stamp="close")) == ["2024-06-28 00:00"]


def test_twenty_four_is_the_end_of_a_day_and_zero_is_asked_about(read):
    assert closes(read(day_rows("2024-06-01"), time_zone="UTC", close="24:00")) == ["2024-06-02 00:00"]
    with pytest.raises(BarFileError, match="--close: 00:00 is when a day begins; set 24:00"):
        close_of("0:00")
    for text in ("16:00+09:00", "25:00", "noon", "16:60"):
        with pytest.raises(BarFileError, match="--close: must be HH:MM or HH:MM:SS, 00:00-24:00"):
            close_of(text)


def test_a_date_without_a_time_is_no_intraday_bar(read):
    with pytest.raises(
        BarFileError, match="has the date '2024-06-24' without a time, but the bar interval is 1m"
    ):
        read(day_rows("2024-06-24"), "1m", **NEW_YORK)


def test_all_times_state_their_offset_or_none(read):
    text = day_rows("2024-03-11T09:31:00-04:00", "2024-03-11T09:32:00")
    with pytest.raises(BarFileError, match="line 3 has '2024-03-11T09:32:00' without an offset"):
        read(text, "1m", **NEW_YORK)


def test_hours_that_clocks_skip_are_refused_by_line(read):
    with pytest.raises(
        BarFileError, match=r"skipped: 1 row: time \(date\) must exist in America/New_York.*line 3"
    ):
        read(day_rows("2024-03-10 01:00", "2024-03-10 02:30"), "1h", **NEW_YORK)


@pytest.mark.parametrize("ascending", [True, False])
def test_hours_that_clocks_show_twice_are_resolved_by_order(read, ascending):
    times = ["2023-11-05 00:00", "2023-11-05 01:00", "2023-11-05 01:00", "2023-11-05 02:00"]
    file = read(day_rows(*(times if ascending else times[::-1])), "1h", **NEW_YORK)
    expected = [f"2023-11-05 {hour:02d}:00" for hour in (4, 5, 6, 7)]
    assert closes(file) == (expected if ascending else expected[::-1])
    assert note(file, "2 times that clocks show twice")


def test_the_unit_of_numbers_is_proved_and_a_change_is_named(read):
    text = day_rows("1735603199999", "1735689599999").replace("date,", "close_time,")
    file = read(text)
    assert closes(file) == ["2024-12-31 00:00", "2025-01-01 00:00"]
    assert note(file, "times are ms since 1970 UTC")
    with pytest.raises(BarFileError, match=r"changes from ms \(line 2: 1735603199999\) to us \(line 3: "):
        read(text.replace("1735689599999", "1735689599999999"))
    with pytest.raises(BarFileError, match="has '2025-01-01', line 2 the number"):
        read(text.replace("1735689599999", "2025-01-01"), **NEW_YORK)


def test_times_of_opens_are_noticed_and_can_be_stated(read):
    minutes = [f"2024-03-{day:02d} {9 + m // 60:02d}:{m % 60:02d}" for day in (4, 5) for m in range(30, 420)]
    text = day_rows(*minutes)
    with pytest.raises(BarFileError, match="days begin at 09:30 and end at 15:59, as opens of 1m bars do"):
        read(text, "1m", **NEW_YORK)
    assert closes(read(text, "1m", **NEW_YORK, stamp="open"))[:1] == ["2024-03-04 14:31"]
    assert closes(read(text, "1m", **NEW_YORK, stamp="close"))[:1] == ["2024-03-04 14:30"]
    later = [f"2024-03-04 {9 + m // 60:02d}:{m % 60:02d}" for m in range(31, 421)]
    assert not note(read(day_rows(*later), "1m", **NEW_YORK), "--stamp")


def test_a_day_of_hours_from_midnight_is_warned_about(read):
    file = read(day_rows(*(f"2024-03-04 {hour:02d}:00" for hour in range(24))), "1h", time_zone="UTC")
    assert "--stamp open or --stamp close" in note(file, "may be those of opens")


def test_weekly_dates_on_mondays_are_asked_about(read):
    text = day_rows("2024-03-04", "2024-03-11")
    with pytest.raises(BarFileError, match="Mondays or Sundays"):
        read(text, "1w", **NEW_YORK)
    assert closes(read(text, "1w", **NEW_YORK, stamp="open")) == ["2024-03-08 21:00", "2024-03-15 20:00"]


def test_night_sessions_belong_to_the_evening_before_their_date(read):
    text = "date,time,open,high,low,close,volume\n2024-03-05,21:01,1,1,1,1,1\n2024-03-05,09:01,1,1,1,1,1\n"
    file = read(text, "1m", time_zone="Asia/Shanghai", night_start="20:00", stamp="close")
    assert closes(file) == ["2024-03-04 13:01", "2024-03-05 01:01"]


def test_naive_times_have_no_default_zone(read):
    with pytest.raises(BarFileError, match="it states no time zone, set --time-zone"):
        read(day_rows("2024-03-04 09:31"), "1m")
    file = read(day_rows("2024-03-04 09:31"), "1m", time_zone="Asia/Seoul")
    assert "2024-03-04 00:31 UTC (2024-03-04 09:31 Asia/Seoul)" in note(file, "closes from")
    with pytest.raises(
        BarFileError, match="--time-zone: must be an IANA time zone such as Asia/Seoul, is 'KST'"
    ):
        read(day_rows("2024-03-04 09:31"), "1m", time_zone="KST")
    assert note(read(day_rows("2024-07-01 10:00"), "1m", time_zone="EST"), "a fixed offset")


@pytest.mark.parametrize(
    ("prices", "close"),
    [
        ('"1,084","1,091","0,979","0,984",5', 0.984),
        ('"1,084.5","1,091","1,000","1,024",5', 1024.0),
        ('"71,000","71,000","71,000","71,000","1,234,567"', 71_000.0),
        ('"71.000,5","71.000","71.000","71.000",5', 71_000.0),
        ('"1 084,5","1 084","1 084","1 084",5', 1084.0),
        ("1'084.5,1'084,1'084,1'084,5", 1084.0),
        ('"12,34,567.5","12,34,567","12,34,567","12,34,567",5', 1_234_567.0),
        ("1.2E+02,130,110,1.25e2,1.2E+07", 125.0),
        ("$10,$11,$9,$10.5,5", 10.5),
        ("₩10,₩11,₩9,10.5원,5", 10.5),
    ],
)
def test_the_decimal_sign_is_proved(read, prices, close):
    assert read(day_rows("2024-03-04", prices=prices), **NEW_YORK).bars[0].close == close


def test_an_open_decimal_sign_is_asked_for(read):
    text = day_rows("2024-03-04", prices='"1,084","1,091","1,079","1,088",900875')
    with pytest.raises(
        BarFileError, match=r"'1,084', which may be 1084 or 1.084; .* --decimal \. or --decimal ,"
    ):
        read(text, **NEW_YORK)
    assert read(text, **NEW_YORK, decimal=",").bars[0].close == 1.088
    assert read(text, **NEW_YORK, decimal=".").bars[0].close == 1088.0
    with pytest.raises(BarFileError, match=r"the decimal sign changes: line 2 .* line 3"):
        read(day_rows('2024-03-04,1.5,2,1,1,5\n2024-03-05,1,2,1,"1,5",5\n2024-03-06'), **NEW_YORK)


def test_volumes_may_be_scaled_and_prices_may_not(read):
    for text, volume in (("212.40K", 212_400.0), ("1.5M", 1.5e6), ("2B", 2e9)):
        assert (
            read(day_rows("2024-03-04", prices=f"10,11,9,10.5,{text}"), **NEW_YORK).bars[0].volume == volume
        )
    with pytest.raises(BarFileError, match=r"close must be a number: line 2 has '10\.5K'"):
        read(day_rows("2024-03-04", prices="10,11,9,10.5K,1"), **NEW_YORK)


def test_rows_without_a_bar_are_grouped_by_rule_and_can_be_left_out(read):
    rows = (
        "2024-03-01,10,11,9,10.5,-\n2024-03-04,10,11,9,10.5,1\n2024-03-05,10,11,9,10.5,n/a\n"
        "2024-03-06,1,2,3\n2024-03-07,x,11,9,10.5,1\n"
    )
    text = "date,open,high,low,close,volume\n" + rows
    with pytest.raises(BarFileError) as refused:
        read(text, **NEW_YORK)
    message = str(refused.value)
    assert "leave them out with --accept fields,missing,number" in message
    assert "missing: 2 rows: volume must have a value: line 2 has '-', line 4 has 'n/a'" in message
    assert (
        "fields: 1 row: line must have 6 fields as the titles, has 4: line 5 has '2024-03-06,1,2,3'"
        in message
    )
    file = read(text, **NEW_YORK, accept="fields,missing,number")
    assert closes(file) == ["2024-03-04 21:00"]
    assert sum("left out" in each for each in file.notes) == 3


def test_surplus_fields_are_refused_and_empty_ones_are_not(read):
    with pytest.raises(BarFileError, match="must have 6 fields as the titles, has 7"):
        read(day_rows("2024-06-26", prices="100,101,99,101,900,875"), **NEW_YORK)
    assert read(day_rows("2024-06-26", prices=f"{PRICES},,"), **NEW_YORK).bars[0].volume == 1000.0


def test_blank_lines_and_repeated_titles_are_no_rows(read):
    text = day_rows("2024-06-26") + "\n,,,,,\n" + day_rows("2024-06-27") + "\n\n"
    assert len(read(text, **NEW_YORK).bars) == 2


def test_a_cut_last_line_is_warned_about(read):
    assert note(read(day_rows("2024-06-26")[:-1], **NEW_YORK), "its last row may be cut")
    assert not note(read(day_rows("2024-06-26"), **NEW_YORK), "may be cut")


def test_symbols_stay_text(read):
    text = TITLES + f"5930.0,2024-06-27,{PRICES}\n035720,2024-06-27,{PRICES}\n"
    with pytest.raises(BarFileError, match=r"symbol: 1 row: symbol must be text: .*line 2 has '5930.0'"):
        read(text, **NEW_YORK)
    file = read(text, **NEW_YORK, rename=["5930.0=005930"])
    assert [bar.symbol for bar in file.bars] == ["005930", "035720"]
    file = read(TITLES + f'"4148  ",2024-06-27,{PRICES}\n4148\u00a0,2024-06-28,{PRICES}\n', **NEW_YORK)
    assert {bar.symbol for bar in file.bars} == {"4148"}
    assert note(file, "blanks around 2 symbols were removed")


@pytest.mark.parametrize(
    ("name", "symbol"), [("BRK.B.csv", "BRK.B"), ("005930.CSV.GZ", "005930"), ("A.KS", "A.KS")]
)
def test_a_file_name_loses_known_suffixes_only_and_the_symbol_is_said(read, name, symbol):
    file = read(day_rows("2024-06-26"), name=name, **NEW_YORK)
    assert file.bars[0].symbol == symbol
    assert note(file, f"the symbol is {symbol}, from the file name")


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
