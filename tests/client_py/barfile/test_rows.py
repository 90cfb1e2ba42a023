"""Rows without a bar, and symbols."""

import pytest
from bar_text import NEW_YORK, PRICES, TITLES, closes, day_rows, note
from glasstape.barfile import BarFileError


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


def test_symbols_stay_text(read):
    text = TITLES + f"5930.0,2024-06-27,{PRICES}\n035720,2024-06-27,{PRICES}\n"
    with pytest.raises(BarFileError, match=r"symbol: 1 row: symbol must be text: .*line 2 has '5930.0'"):
        read(text, **NEW_YORK)
    file = read(text, **NEW_YORK, rename=["5930.0=005930"])
    assert [bar.symbol for bar in file.bars] == ["005930", "035720"]
    file = read(TITLES + f'"4148  ",2024-06-27,{PRICES}\n4148\u00a0,2024-06-28,{PRICES}\n', **NEW_YORK)
    assert {bar.symbol for bar in file.bars} == {"4148"}
    assert note(file, "blanks around 2 symbols were removed")


def test_symbols_break_rules_once_with_the_wrong_character(read):
    rows = "".join(f"{name},2024-06-{day},{PRICES}\n" for name in ("A*B", "C*D") for day in (26, 27))
    rows += f"삼성전자,2024-06-26,{PRICES}\n"
    with pytest.raises(BarFileError) as refused:
        read(TITLES + rows, **NEW_YORK)
    assert "symbol: 4 rows: symbol must be 1-64 printable ASCII characters" in str(refused.value)
    assert "has '*'; rename it with --rename FROM=TO: line 2 has 'A*B'" in str(refused.value)
    assert "has others than ASCII" in str(refused.value)
    renames = ["A*B=AB", "C*D=CD", "삼성전자=005930"]
    assert {bar.symbol for bar in read(TITLES + rows, **NEW_YORK, rename=renames).bars} == {
        "AB",
        "CD",
        "005930",
    }
    with pytest.raises(
        BarFileError, match=r"the symbol from the file name must be 1-64 .* state it with --symbol"
    ):
        read(day_rows("2024-06-26"), name="A B.csv", **NEW_YORK)


def test_tickers_that_look_like_no_value_are_symbols(read):
    rows = "".join(
        f"{name},2024-06-26,{PRICES}\n" for name in ("NAN", "NA", "NULL", "TRUE", "BTC/USDT:USDT", "^GSPC")
    )
    assert len(read(TITLES + rows, **NEW_YORK).bars) == 6


def test_case_twins_and_lost_zeros_are_warned_about(read):
    rows = "".join(f"{name},2024-06-26,{PRICES}\n" for name in ("aapl", "AAPL", "005930", "660"))
    file = read(TITLES + rows, **NEW_YORK)
    assert note(file, "differ by upper and lower case alone")
    assert note(file, "leading zeros may be lost")


@pytest.mark.parametrize(
    ("name", "symbol"), [("BRK.B.csv", "BRK.B"), ("005930.CSV.GZ", "005930"), ("A.KS", "A.KS")]
)
def test_a_file_name_loses_known_suffixes_only_and_the_symbol_is_said(read, name, symbol):
    file = read(day_rows("2024-06-26"), name=name, **NEW_YORK)
    assert file.bars[0].symbol == symbol
    assert note(file, f"the symbol is {symbol}, from the file name")
