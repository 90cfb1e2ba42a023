"""Files of bars in Parquet."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from glasstape.barfile import BarFileError, BarFileOptions, close_of
from glasstape_server.domain.times import SECOND
from glasstape_server.market.files import BarFiles, read_bars

DAYS = BarFileOptions(time_zone="UTC", close=close_of("16:00"))
SEOUL = BarFileOptions(time_zone="Asia/Seoul", close=close_of("15:30"))
NEW_YORK = BarFileOptions(time_zone="America/New_York", close=close_of("16:00"))
PRICES = {"open": [10.0] * 2, "high": [11.0] * 2, "low": [9.0] * 2, "close": [10.5] * 2, "volume": [5] * 2}


def written(tmp_path, **columns):
    path = tmp_path / "ABC.parquet"
    pl.DataFrame({**columns, **PRICES}).write_parquet(path)
    return path


def test_symbols_of_parquet_files_must_be_text(tmp_path):
    days = [datetime(2024, 6, 24), datetime(2024, 6, 25)]
    for numbers in ([5930, 660], [5930.0, 660.0]):
        with pytest.raises(
            BarFileError, match=r"the symbols in column 'symbol' must be text, are (Int|Float)64"
        ):
            BarFiles([written(tmp_path, symbol=numbers, date=days)], "1d", SEOUL)
    path = written(tmp_path, symbol=pl.Series(["005930", "000660"], dtype=pl.Categorical), date=days)
    assert set(read_bars(path, "1d", SEOUL)["symbol"]) == {"005930", "000660"}


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_midnights_in_the_zone_of_a_parquet_file_are_dates_of_that_zone(tmp_path, unit):
    days = pl.Series([datetime(2024, 3, 8), datetime(2024, 3, 11)]).dt.cast_time_unit(unit)
    path = written(tmp_path, Date=days.dt.replace_time_zone("America/New_York"))
    files = BarFiles([path], "1d", BarFileOptions(close=close_of("16:00")))
    assert files.read()["close_time"].to_list() == [1_709_931_600 * SECOND, 1_710_187_200 * SECOND]
    assert files.time_zone == "America/New_York"
    with pytest.raises(BarFileError, match="it is a date, set the local time"):
        BarFiles([path], "1d")


def test_times_of_parquet_files_are_read_as_their_text_would_be(tmp_path):
    times = [datetime(2024, 3, 8, 9, 31), datetime(2024, 3, 11, 9, 31)]
    expected = read_bars(written(tmp_path, date=[str(time) for time in times]), "1m", NEW_YORK)
    epochs = [int(time) // SECOND for time in expected["close_time"]]
    closing = [datetime(2024, 3, 8, 14, 30, 59, 999_000), datetime(2024, 3, 11, 13, 30, 59, 999_000)]
    for column in (
        pl.Series(times),
        pl.Series(times).dt.replace_time_zone("America/New_York"),
        pl.Series(epochs),
        pl.Series([1000 * epoch for epoch in epochs]),
        pl.Series([float(epoch) for epoch in epochs]),
        pl.Series(closing).dt.replace_time_zone("UTC"),
    ):
        assert read_bars(written(tmp_path, date=column), "1m", NEW_YORK).equals(expected)
    with pytest.raises(BarFileError, match="times must be dates, times, text or whole numbers since 1970"):
        read_bars(written(tmp_path, date=[0.5, 1.5]), "1m", NEW_YORK)


def test_a_missing_value_of_a_parquet_file_is_named_with_its_row(tmp_path):
    path = tmp_path / "ABC.parquet"
    days = ["2024-06-24", "2024-06-25"]
    pl.DataFrame({"date": days, **PRICES, "close": [10.5, None]}).write_parquet(path)
    with pytest.raises(BarFileError, match="missing: 1 row: close must have a value: row 2 has ''"):
        read_bars(path, "1d", DAYS)
    assert read_bars(path, "1d", replace(DAYS, accepted=frozenset({"missing"}))).height == 1


def test_a_parquet_file_whose_damage_ends_its_reader_is_refused_by_name(tmp_path):
    frame = pl.DataFrame({"symbol": ["A"], "date": ["2020-01-02"]})
    sound = frame.with_columns(open=1.0, high=2.0, low=0.5, close=1.5, volume=1.0)
    sound.write_parquet(tmp_path / "sound.parquet")
    damaged = Path(__file__).with_name("damaged.parquet")
    with pytest.raises(BarFileError, match=r"damaged\.parquet: cannot be read: damaged pages"):
        BarFiles([tmp_path / "sound.parquet", damaged], "1d", DAYS)
    assert read_bars(tmp_path / "sound.parquet", "1d", DAYS).height == 1


@pytest.mark.parametrize("values", [[True, False], [[1.0], [2.0]], [datetime(2024, 3, 4)] * 2, [b"1", b"2"]])
def test_prices_of_parquet_files_are_numbers(tmp_path, values):
    path = tmp_path / "ABC.parquet"
    pl.DataFrame({"date": ["2024-06-24", "2024-06-25"], **PRICES, "open": values}).write_parquet(path)
    with pytest.raises(BarFileError, match="the column 'open' must hold numbers, is"):
        BarFiles([path], "1d", DAYS)


def test_texts_of_categories_are_read_as_text(tmp_path):
    path = tmp_path / "ABC.parquet"
    prices = pl.Series(["10.5", "9.75"], dtype=pl.Categorical)
    pl.DataFrame({"date": ["2024-06-24", "2024-06-25"], **PRICES, "close": prices}).write_parquet(path)
    assert read_bars(path, "1d", DAYS)["close"].to_list() == [10.5, 9.75]
