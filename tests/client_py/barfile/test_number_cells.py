"""Numbers and their decimal sign."""

import pytest
from bar_text import NEW_YORK, day_rows
from glasstape.barfile import BarFileError


@pytest.mark.parametrize(
    ("prices", "close"),
    [
        ('"1,084","1,091","0,979","0,984",5', 0.984),
        ('"1,084.5","1,091","1,000","1,024",5', 1024.0),
        ('"71,000","71,000","71,000","71,000","1,234,567"', 71_000.0),
        ('"71.000,5","71.000","71.000","71.000",5', 71_000.0),
        ('"1 084,5","1 084","1 084","1 084",5', 1084.0),
        ("1'084.5,1'084.5,1'084.5,1'084.0,1'234'567", 1084.0),
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


def test_quotes_in_32nds_are_no_thousands(read):
    with pytest.raises(BarFileError, match='open must be a number: line 2 has "110\'160"'):
        read(day_rows("2024-03-04", prices="110'160,110'235,110'100,110'205,1000"), **NEW_YORK)
