"""Columns of bar files that describe instruments."""

import polars as pl
import pytest
from bar_text import NEW_YORK
from glasstape.barfile import BarFileError
from glasstape.barfile.arguments import make_options
from glasstape_server.cli.parquet_reader import read_parquet

TITLES = ["종목코드", "종목명", "시장구분", "업종", "일자", "시가", "고가", "저가", "종가", "거래량"]
ROWS = [
    ["005930", "삼성전자", "KOSPI", "전기전자", "2024-03-04", "1", "1", "1", "1", "5"],
    ["005930", "삼성전자", "KOSPI", "전기전자", "2024-03-05", "1", "1", "1", "1", "5"],
    ["000660", "SK하이닉스", "KOSPI", "전기전자", "2024-03-04", "2", "2", "2", "2", "5"],
]


def test_names_markets_and_sectors_come_from_the_columns(read, tmp_path):
    text = "\n".join(",".join(cells) for cells in [TITLES, *ROWS]) + "\n"
    found = read(text, **NEW_YORK).instruments
    assert [(item.symbol, item.local_name, item.exchange, item.sector) for item in found] == [
        ("005930", "삼성전자", "XKRX", "전기전자"),
        ("000660", "SK하이닉스", "XKRX", "전기전자"),
    ]
    path = tmp_path / "krx.parquet"
    pl.DataFrame(ROWS, schema=TITLES, orient="row").write_parquet(path)
    assert read_parquet(path, "1d", make_options(NEW_YORK)).instruments == found


def test_a_file_of_one_symbol_describes_it(read):
    text = "date,open,high,low,close,volume,Name,Currency\n2024-03-04,1,1,1,1,5,Apple,usd\n"
    (item,) = read(text, **NEW_YORK).instruments
    assert (item.symbol, item.name, item.currency) == ("ABC", "Apple", "USD")
    assert not read(text.replace(",Name,Currency", ",x,y"), **NEW_YORK).instruments


def test_a_description_that_breaks_a_rule_is_named_with_its_line(read):
    titles = "symbol,date,open,high,low,close,volume,Tick Size"
    text = f"{titles}\nA,2024-03-04,1,1,1,1,5,0.01\nA,2024-03-05,1,1,1,1,5,tiny\n"
    with pytest.raises(BarFileError, match=r"line 3.*Tick Size: must be a number above 0 .* is 'tiny'"):
        read(text, **NEW_YORK)
