import pytest
from glasstape.symbols import SYMBOL_RULE, case_twins, is_symbol, lost_zeros, reason_invalid


@pytest.mark.parametrize(
    "symbol",
    [
        "005930", "AAPL", "BRK.B", "^GSPC", "EURUSD=X", "BTC/USDT:USDT", "AAPL240621C00190000", "BTC-27JUN25-100000-C",
        "ES+1", "M&M.NS", "A|B", "<XAU", "$SPX", "x" * 64, "[A]", "a_b", "0", "#1", "(x)", "a;b", "A%B", "@KC", "{n}~`",
    ],
)  # fmt: skip
def test_symbols_of_every_market_are_symbols(symbol):
    assert is_symbol(symbol)
    assert reason_invalid(symbol) is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "is empty"),
        ("A B", "character 2 is a blank"),
        ("A\tB", "character 2 is a tab"),
        ("AB\n", "character 3 is a line break"),
        ("'A", "character 1 is a quote"),
        ('A"', "character 2 is a quote"),
        ("A,B", "character 2 is ','"),
        ("A*", "character 2 is '*'"),
        ("A>B", "character 2 is '>'"),
        ("A\\B", r"character 2 is '\\'"),
        ("삼성전자", "character 1 is '삼'"),
        ("A\x00", r"character 2 is '\x00'"),
        ("A\x7f", r"character 2 is '\x7f'"),
        ("AÀ", "character 2 is 'À'"),
        ("A" * 65, "with 65 characters"),
    ],
)
def test_a_text_that_is_no_symbol_is_refused_with_its_first_wrong_character(text, wrong):
    assert not is_symbol(text)
    reason = reason_invalid(text)
    assert reason.startswith(SYMBOL_RULE)
    assert reason.endswith(wrong)


def test_a_very_long_text_is_not_repeated_in_full():
    assert len(reason_invalid("A" * 1_000_000)) < 300
    assert len(reason_invalid("삼" * 1_000_000)) < 300


def test_symbols_that_differ_by_case_alone_are_named():
    assert case_twins(["AAPL", "MSFT", "Aapl", "AAPL"]) == [
        "symbols AAPL, Aapl differ by upper and lower case alone and are separate instruments"
    ]
    assert case_twins(["AAPL", "AAPL", "MSFT"]) == []


def test_numeric_codes_of_unequal_length_are_named():
    assert lost_zeros(["005930", "000660", "5930", "660"]) == [
        "numeric symbols have 3 digits (660) and 6 digits: leading zeros may be lost",
        "numeric symbols have 4 digits (5930) and 6 digits: leading zeros may be lost",
    ]
    many = lost_zeros(["123456", *(str(code) for code in range(1000, 1010))])
    assert many == [
        "numeric symbols have 4 digits (1000, 1001, 1002, …) and 6 digits: leading zeros may be lost"
    ]


@pytest.mark.parametrize(
    "symbols",
    [[], ["5930"], ["005930", "000660"], ["AAPL", "1INCH", "123456"], ["005930", "0700", "9988"]],
)
def test_other_symbols_have_lost_no_zeros(symbols):
    assert lost_zeros(symbols) == []
