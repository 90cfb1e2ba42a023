import pytest
from glasstape import Instrument, InvalidRequestError
from glasstape.instruments import TITLES, columns_of, instruments_from_rows


def test_korean_titles_and_values_are_understood():
    row = {
        "종목코드": "005930", "종목명": "삼성전자", "영문 종목명": "Samsung Electronics", "시장구분": "코스피",
        "통화": "원", "호가단위": "100", "가격제한폭": "30%", "업종": "전기전자", "산업": "반도체", "종가": "71,300",
    }  # fmt: skip
    assert instruments_from_rows([row]) == [
        Instrument(
            symbol="005930", name="Samsung Electronics", local_name="삼성전자", exchange="XKRX", currency="KRW",
            tick_size=100.0, price_limit=0.3, sector="전기전자", industry="반도체",
        )
    ]  # fmt: skip


def test_english_titles_and_values_are_understood():
    row = {
        "Ticker": "BRK.B", "Company Name": "Berkshire Hathaway", "Exchange": "NYSE", "Time-Zone": "America/New_York",
        "CCY": "usd", "Tick Size": "0.01", "PriceDecimals": "2.0", "GICS Sector": "Financials", "Local_Name": "nan",
    }  # fmt: skip
    assert instruments_from_rows([row]) == [
        Instrument(
            symbol="BRK.B", name="Berkshire Hathaway", exchange="XNYS", time_zone="America/New_York", currency="USD",
            tick_size=0.01, price_decimals=2, sector="Financials",
        )
    ]  # fmt: skip


def test_every_field_has_titles_that_belong_to_no_other():
    fields = set(TITLES)
    assert fields == set(Instrument.__dataclass_fields__) - {"learned", "assumed"}
    for field, titles in TITLES.items():
        for title in titles:
            assert columns_of([title]) == {field: [title]}


def test_a_name_in_a_local_script_is_the_local_name():
    rows = [{"symbol": "7203", "name": "トヨタ自動車"}, {"symbol": "NESN", "name": "Nestlé"}]
    toyota, nestle = instruments_from_rows(rows)
    assert (toyota.name, toyota.local_name) == ("", "トヨタ自動車")
    assert (nestle.name, nestle.local_name) == ("Nestlé", "")


def test_bars_describe_their_instrument_once_and_the_newest_value_wins():
    rows = [{"code": "A", "name": "Old", "sector": "", "close": str(n)} for n in range(1000)]
    rows += [
        {"code": "A", "name": "New", "sector": "Energy", "close": "1"},
        {"code": "B", "name": "", "close": "2"},
    ]
    assert instruments_from_rows(rows) == [Instrument(symbol="A", name="New", sector="Energy")]


def test_rows_without_a_column_for_the_symbol_take_the_given_one():
    assert instruments_from_rows([{"name": "Apple"}], symbol="AAPL") == [
        Instrument(symbol="AAPL", name="Apple")
    ]
    with pytest.raises(InvalidRequestError, match=r"row 1: symbol: must be 1-64 .* is empty"):
        instruments_from_rows([{"name": "Apple"}])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"symbol": "600519.0"},
            "row 1: symbol: must be text, is the number 600519.0: leading zeros are lost",
        ),
        ({"symbol": "A B"}, "character 2 is a blank"),
        ({"symbol": ""}, "is empty"),
        ({"tick": "0"}, r"row 1 \(A\): tick: must be a number above 0 and at most 1e\+09, is '0'"),
        ({"tick": "1,5"}, "tick: must be a number above 0"),
        ({"tick": "1e99999"}, "tick: must be a number above 0"),
        ({"price limit": "30"}, "price limit: must be at most 1, is 30: write 0.3 or 30%"),
        ({"decimals": "13"}, "decimals: must be 0-12, is '13'"),
        ({"decimals": "-1"}, "decimals: must be 0-12, is '-1'"),
        ({"decimals": "1.5"}, "decimals: must be 0-12, is '1.5'"),
        ({"tz": "KST+9"}, r"tz: must be an IANA time zone, is 'KST\+9'"),
        ({"tz": "../etc"}, "tz: must be an IANA time zone"),
        ({"sector": "x" * 65}, "sector: must have at most 64 characters, has 65"),
    ],
)
def test_a_value_that_breaks_a_rule_names_row_column_rule_and_value(values, sentence):
    with pytest.raises(InvalidRequestError, match=sentence):
        instruments_from_rows([{"symbol": "A", **values}])


def test_rows_that_contradict_each_other_are_refused_in_a_table():
    rows = [{"symbol": "A", "name": "One"}, {"symbol": "A", "name": ""}, {"symbol": "A", "name": "Two"}]
    with pytest.raises(
        InvalidRequestError, match="row 3: name: must be equal in all rows of A, is 'Two' after 'One'"
    ):
        instruments_from_rows(rows, newest_wins=False)
    assert instruments_from_rows(rows[:2], newest_wins=False) == [Instrument(symbol="A", name="One")]
