import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from glasstape.barfile import BarFileError, BarFileOptions, close_of
from glasstape_server.domain.times import SECOND
from glasstape_server.market import replay, sample
from glasstape_server.market.files import BarFiles, read_bars
from glasstape_server.market.rules import check_bar

DAYS = BarFileOptions(time_zone="UTC", close=close_of("16:00"))
SEOUL = BarFileOptions(time_zone="Asia/Seoul", close=close_of("15:30"))
NEW_YORK = BarFileOptions(time_zone="America/New_York", close=close_of("16:00"))


def test_the_sample_is_the_file_that_the_notice_names():
    assert hashlib.sha256(sample.PATH.read_bytes()).hexdigest() == sample.SHA256
    assert sample.SHA256 in (sample.PATH.parent / "NOTICE.md").read_text()


def test_the_sample_is_adjusted_valid_and_closes_at_four_in_new_york():
    frame = sample.read()
    assert len(frame) == 12_154
    for bar in replay.to_bars(frame, "1d"):
        check_bar(bar)
    aapl = frame.filter(pl.col("symbol") == "AAPL")
    returns = aapl["close"].log().diff().abs()
    assert returns.max() == pytest.approx(0.7312, abs=1e-3)  # 2000-09-29, a real fall; splits are gone
    winter, summer = frame["close_time"].min(), aapl.filter(pl.col("close_time") > 0)["close_time"][90]
    assert winter % (86_400 * SECOND) == 21 * 3600 * SECOND
    assert summer % (86_400 * SECOND) == 20 * 3600 * SECOND


def test_csv_and_parquet_give_the_same_bars_and_codes_stay_text(tmp_path):
    text = "Code,Date,Open,High,Low,Close,Volume\n005930,2024-01-02,10,11,9,10.5,100\n005930,2024-01-03,10,11,9,10,1\n"
    (tmp_path / "bars.csv").write_text(text)
    form = SEOUL
    frame = read_bars(tmp_path / "bars.csv", "1d", form)
    assert frame["symbol"].to_list() == ["005930", "005930"]
    assert frame["close_time"][0] % (86_400 * SECOND) == (6 * 3600 + 1800) * SECOND
    pl.read_csv(tmp_path / "bars.csv", schema_overrides={"Code": pl.String}).with_columns(
        pl.col("Date").str.to_date()
    ).write_parquet(tmp_path / "bars.parquet")
    assert read_bars(tmp_path / "bars.parquet", "1d", form).equals(frame)


def test_files_that_cannot_be_read_say_why(tmp_path):
    (tmp_path / "a.csv").write_text("date,open,high,low\n2024-01-01,1,2,1\n")
    with pytest.raises(BarFileError, match="no column for close, volume"):
        read_bars(tmp_path / "a.csv", "1d", DAYS)
    with pytest.raises(BarFileError, match="cannot be read: No such file"):
        read_bars(tmp_path / "missing.csv", "1d", DAYS)
    (tmp_path / "b.csv").write_text("date,open,high,low,close,volume\n2024-01-01,1,2,1,x,1\n")
    with pytest.raises(BarFileError, match=r"b\.csv"):
        read_bars(tmp_path / "b.csv", "1d", DAYS)
    with pytest.raises(BarFileError, match="interval"):
        read_bars(tmp_path / "b.csv", "2d", DAYS)


def test_a_recording_parts_history_from_what_is_signaled():
    recording = replay.load("sample", "1d", first="2012-01-01", last="2012-01-31")
    assert recording.history["close_time"].max() < recording.first_close == recording.bars["close_time"].min()
    assert recording.bars["close_time"].n_unique() == 20
    with pytest.raises(ValueError, match="no bar"):
        replay.load("sample", "1d", first="2030-01-01")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("A,,1,2,1,1,5", "missing: 1 row: time (date) must have a value: line 3 has ''"),
        ("A,2024-01-03,,2,1,1,5", "missing: 1 row: open must have a value: line 3 has ''"),
        (",2024-01-03,1,2,1,1,5", "missing: 1 row: symbol must have a value: line 3 has ''"),
    ],
)
def test_an_empty_cell_names_its_row_and_column(tmp_path, row, text):
    path = tmp_path / "a.csv"
    path.write_text(f"symbol,date,open,high,low,close,volume\nA,2024-01-02,1,2,1,1,5\n{row}\n")
    with pytest.raises(BarFileError, match=re.escape(text)):
        read_bars(path, "1d", DAYS)


def test_numbers_are_days_or_times_since_1970(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("symbol,date,open,high,low,close,volume\nA,20240102,1,2,1,1,5\n")
    assert read_bars(path, "1d", DAYS)["close_time"][0] == (1_704_153_600 + 16 * 3600) * SECOND
    path.write_text("symbol,date,open,high,low,close,volume\nA,1704153660,1,2,1,1,5\n")
    files = BarFiles([path], "1m")
    assert files.read()["close_time"][0] == 1_704_153_660 * SECOND
    assert "times are s since 1970 UTC, by their magnitude" in files.notes
    path.write_text("symbol,date,open,high,low,close,volume\nA,17041,1,2,1,1,5\n")
    with pytest.raises(BarFileError, match=r"time \(date\) must be a date or time"):
        read_bars(path, "1d", DAYS)
    with pytest.raises(BarFileError, match="IANA"):
        read_bars(path, "1d", BarFileOptions(time_zone="Mars/Base"))


def test_daily_bars_at_midnight_are_dates_and_hourly_ones_are_times(tmp_path):
    day = datetime(2022, 3, 7)
    values = {"open": [1.0], "high": [2.0], "low": [1.0], "close": [1.0], "volume": [5.0]}
    pl.DataFrame({"symbol": ["005930"], "date": [day], **values}).write_parquet(tmp_path / "a.parquet")
    form = SEOUL
    daily = read_bars(tmp_path / "a.parquet", "1d", form)["close_time"][0]
    assert datetime.fromtimestamp(daily / SECOND, UTC) == datetime(2022, 3, 7, 6, 30, tzinfo=UTC)
    hourly = read_bars(tmp_path / "a.parquet", "1h", form)["close_time"][0]
    assert datetime.fromtimestamp(hourly / SECOND, UTC) == datetime(2022, 3, 6, 15, 0, tzinfo=UTC)


def test_korean_titles_and_grouped_thousands_are_read(tmp_path):
    text = (
        "종목코드,일자,시가,고가,저가,종가,거래량\n"
        '005930,2024-01-02,"78,200","79,800","78,200","79,600","17,142,847"\n'
        '005930,2024-01-03,"78,500","78,800","77,000","77,000",900\n'
    )
    (tmp_path / "krx.csv").write_text(text, encoding="utf-8-sig")
    frame = read_bars(tmp_path / "krx.csv", "1d", SEOUL)
    assert frame["symbol"].to_list() == ["005930", "005930"]
    assert frame["close"].to_list() == [79_600.0, 77_000.0]
    assert frame["volume"].to_list() == [17_142_847.0, 900.0]


@pytest.mark.parametrize("cell", ['"1,2,34"', "12a", "1.2.3", "(5)", "1e"])
def test_a_cell_that_is_no_number_is_named_with_its_line(tmp_path, cell):
    (tmp_path / "x.csv").write_text(
        f"symbol,date,open,high,low,close,volume\nA,2024-01-02,1,1,1,1,1\nA,2024-01-03,1,1,1,{cell},1\n"
    )
    with pytest.raises(BarFileError, match="number: 1 row: close must be a number: line 3 has '"):
        read_bars(tmp_path / "x.csv", "1d", DAYS)


def test_a_time_that_clocks_skip_is_named_with_its_row_and_the_way_out(tmp_path):
    path = tmp_path / "hours.csv"
    path.write_text(
        "symbol,datetime,open,high,low,close,volume\n"
        "A,2017-03-12 01:00:00,1,2,1,1,5\nA,2017-03-12 02:00:00,1,2,1,1,5\n"
    )
    with pytest.raises(
        BarFileError,
        match=r"must exist in America/New_York, whose .*--time-zone\): line 3 has '2017-03-12 02:00:00'",
    ):
        read_bars(path, "1h", NEW_YORK)
    assert read_bars(path, "1h", DAYS).height == 2


def files(tmp_path, **options):
    for number, name in enumerate(("one", "two")):
        rows = [
            f"{symbol},2024-01-{day:02d},1,2,1,{number + day},5"
            for symbol in "BA"
            for day in range(2 + number, 9)
        ]
        (tmp_path / f"{name}.csv").write_text(
            "symbol,date,open,high,low,close,volume\n" + "\n".join(rows) + "\n"
        )
    return BarFiles([tmp_path / "one.csv", tmp_path / "two.csv"], "1d", DAYS, **options)


def test_many_files_are_read_some_symbols_at_a_time_and_remember_their_rows(tmp_path):
    read = files(tmp_path)
    assert read.bars == 26
    assert "one.csv: symbol = symbol, time = date, open = open" in read.notes[0]
    chunks = list(read.chunks(1))
    assert [chunk["symbol"].unique().to_list() for chunk in chunks] == [["A"], ["B"]]
    together = pl.concat(chunks).sort("close_time", "symbol", maintain_order=True)
    assert together.equals(read.read())
    last = chunks[0].filter(pl.col("file") == "two.csv").row(-1, named=True)
    assert (last["row"], last["close"]) == (13, 9.0)
    assert next(iter(read.chunks(100))).height == 26


def test_a_file_without_bars_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("symbol,date,open,high,low,close,volume\n")
    with pytest.raises(BarFileError, match="there are no bars"):
        read_bars(tmp_path / "x.csv", "1d", DAYS)


def test_a_large_csv_is_parsed_once_and_reads_the_same(tmp_path):
    small = list(files(tmp_path).chunks(1))
    read = files(tmp_path, spill_from=4)
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").unlink()
    assert all(a.equals(b) for a, b in zip(small, read.chunks(1), strict=True))


@pytest.mark.parametrize(
    "time", ["2018-01-01T16:00:00+09:00", "2018-01-01 07:00:00Z", "2018-01-01T07:00:00.000+0000"]
)
def test_times_with_an_offset_need_no_zone(tmp_path, time):
    path = tmp_path / "a.csv"
    path.write_text(f"symbol,time,open,high,low,close,volume\nA,{time},1,2,1,1,5\n")
    assert read_bars(path, "1h", NEW_YORK)["close_time"][0] == 1_514_790_000 * SECOND


def test_two_columns_of_one_title_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("symbol,date,open,high,low,close,Close ,volume\nA,2024-01-02,1,2,1,1,2,5\n")
    with pytest.raises(BarFileError, match="both named close"):
        read_bars(path, "1d", DAYS)


def test_folders_broken_files_and_brackets(tmp_path):
    with pytest.raises(BarFileError, match="is a folder"):
        read_bars(tmp_path, "1d", DAYS)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BarFileError, match="cannot be read"):
        read_bars(tmp_path / "x.parquet", "1d", DAYS)
    odd = tmp_path / "a[1].csv"
    odd.write_text("symbol,date,open,high,low,close,volume\nA,2024-01-02,1,2,1,1,5\n")
    assert read_bars(odd, "1d", DAYS).height == 1


@pytest.mark.parametrize("cell", ["20 20-01-02", "yesterday", "2020-13-45"])
def test_a_cell_that_is_no_date_is_named(tmp_path, cell):
    path = tmp_path / "bars.csv"
    path.write_text(f"symbol,date,open,high,low,close,volume\nA,2020-01-01,1,2,1,1,9\nA,{cell},1,2,1,1,9\n")
    with pytest.raises(BarFileError, match=r"time: 1 row: time \(date\) must be a date or time.*: line 3"):
        read_bars(path, "1d", DAYS)


def test_a_column_that_holds_no_dates_is_refused(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text("symbol,date,open,high,low,close,volume\nA,2020-01-100,1,2,1,1,9\n")
    with pytest.raises(BarFileError, match=r"must be a date or time.*: line 2 has '2020-01-100'"):
        read_bars(path, "1d", DAYS)


def test_rows_that_are_read_twice_are_read_the_same(tmp_path):
    path = tmp_path / "long.csv"
    minutes = pl.datetime_range(datetime(2020, 1, 1), datetime(2021, 3, 1), "1m", eager=True)
    rows = pl.DataFrame({"time": minutes.dt.strftime("%Y-%m-%dT%H:%M:00Z")}).with_columns(
        open=1.5, high=2.5, low=0.5, close=1.5, volume=pl.int_range(pl.len())
    )
    rows.write_csv(path)
    assert path.stat().st_size > 1 << 24  # more than one block
    once = BarFiles([path], "1m", replace(DAYS, stamp="close"))
    twice = BarFiles([path], "1m", replace(DAYS, stamp="close"), kept_rows=1)
    assert once.read().equals(twice.read())
    assert once.read()["row"].to_list() == list(range(2, len(minutes) + 2))
