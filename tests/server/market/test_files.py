import hashlib
from datetime import UTC, datetime, time

import polars as pl
import pytest
from glasstape_server.domain import SECOND
from glasstape_server.market import replay, sample
from glasstape_server.market.files import FileError, FileFormat, read_bars
from glasstape_server.market.rules import check_bar


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
    form = FileFormat("Asia/Seoul", time(15, 30))
    frame = read_bars(tmp_path / "bars.csv", "1d", form)
    assert frame["symbol"].to_list() == ["005930", "005930"]
    assert frame["close_time"][0] % (86_400 * SECOND) == (6 * 3600 + 1800) * SECOND
    pl.read_csv(tmp_path / "bars.csv", schema_overrides={"Code": pl.String}).with_columns(
        pl.col("Date").str.to_date()
    ).write_parquet(tmp_path / "bars.parquet")
    assert read_bars(tmp_path / "bars.parquet", "1d", form).equals(frame)


def test_files_that_cannot_be_read_say_why(tmp_path):
    (tmp_path / "a.csv").write_text("date,open,high,low\n2024-01-01,1,2,1\n")
    with pytest.raises(FileError, match="no column for close, volume"):
        read_bars(tmp_path / "a.csv", "1d", FileFormat())
    with pytest.raises(FileError, match="cannot be read"):
        read_bars(tmp_path / "missing.csv", "1d", FileFormat())
    (tmp_path / "b.csv").write_text("date,open,high,low,close,volume\n2024-01-01,1,2,1,x,1\n")
    with pytest.raises(FileError, match=r"b\.csv"):
        read_bars(tmp_path / "b.csv", "1d", FileFormat())
    with pytest.raises(FileError, match="interval"):
        read_bars(tmp_path / "b.csv", "2d", FileFormat())


def test_a_recording_parts_history_from_what_is_signalled():
    recording = replay.load("sample", "1d", first="2012-01-01", last="2012-01-31")
    assert recording.history["close_time"].max() < recording.first_close == recording.bars["close_time"].min()
    assert recording.bars["close_time"].n_unique() == 20
    with pytest.raises(ValueError, match="no bar"):
        replay.load("sample", "1d", first="2030-01-01")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("A,,1,2,1,1,5", "row 2 has no close_time"),
        ("A,2024-01-03,,2,1,1,5", "row 2 has no open"),
        (",2024-01-03,1,2,1,1,5", "row 2 has no symbol"),
    ],
)
def test_an_empty_cell_names_its_row_and_column(tmp_path, row, text):
    path = tmp_path / "a.csv"
    path.write_text(f"symbol,date,open,high,low,close,volume\nA,2024-01-02,1,2,1,1,5\n{row}\n")
    with pytest.raises(FileError, match=text):
        read_bars(path, "1d", FileFormat())


def test_numbers_are_days_or_nothing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("symbol,date,open,high,low,close,volume\nA,20240102,1,2,1,1,5\n")
    assert read_bars(path, "1d", FileFormat())["close_time"][0] == 1_704_153_600 * SECOND
    path.write_text("symbol,date,open,high,low,close,volume\nA,1704153600,1,2,1,1,5\n")
    with pytest.raises(FileError, match="YYYYMMDD"):
        read_bars(path, "1d", FileFormat())
    with pytest.raises(FileError, match="IANA"):
        read_bars(path, "1d", FileFormat("Mars/Base"))


def test_daily_bars_at_midnight_are_dates_and_hourly_ones_are_times(tmp_path):
    day = datetime(2022, 3, 7)
    values = {"open": [1.0], "high": [2.0], "low": [1.0], "close": [1.0], "volume": [5.0]}
    pl.DataFrame({"symbol": ["005930"], "date": [day], **values}).write_parquet(tmp_path / "a.parquet")
    form = FileFormat("Asia/Seoul", time(15, 30))
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
    frame = read_bars(tmp_path / "krx.csv", "1d", FileFormat("Asia/Seoul", time(15, 30)))
    assert frame["symbol"].to_list() == ["005930", "005930"]
    assert frame["close"].to_list() == [79_600.0, 77_000.0]
    assert frame["volume"].to_list() == [17_142_847.0, 900.0]


@pytest.mark.parametrize("cell", ['"7,8200"', '"78.200,50"', "n/a", '"1,23"'])
def test_a_cell_that_is_no_number_is_named_with_its_row(tmp_path, cell):
    (tmp_path / "x.csv").write_text(
        f"symbol,date,open,high,low,close,volume\nA,2024-01-02,1,1,1,1,1\nA,2024-01-03,1,1,1,{cell},1\n"
    )
    with pytest.raises(FileError, match=r"row 2: close must be a number, is '"):
        read_bars(tmp_path / "x.csv", "1d", FileFormat())
