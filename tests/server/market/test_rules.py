from dataclasses import replace
from math import inf, nan

import pytest
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.times import DAY
from glasstape_server.market.rules import check_bar, check_instrument

GOOD = Bar("005930", "1d", DAY, 10.0, 12.0, 9.0, 11.0, 100.0)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"high": 8.0}, "high", ">= low"),
        ({"close": 13.0}, "close", "low..high"),
        ({"open": 8.5}, "open", "low..high"),
        ({"low": 0.0}, "low", "above 0"),
        ({"close": -1.0}, "close", "above 0"),
        ({"open": nan}, "open", "finite"),
        ({"high": inf}, "high", "finite"),
        ({"volume": nan}, "volume", "finite"),
        ({"volume": -1.0}, "volume", ">= 0"),
        ({"interval": "2d"}, "interval", "1m 3m 5m"),
        ({"symbol": ""}, "symbol", "1-64"),
        ({"symbol": "A B"}, "symbol", "character 2 is a blank"),
        ({"symbol": "A" * 65}, "symbol", "with 65 characters"),
        ({"close_time": 0}, "close_time", "1970-2099"),
    ],
)
def test_a_broken_bar_names_field_rule_and_value(change, field, rule):
    with pytest.raises(InvalidArgument) as caught:
        check_bar(replace(GOOD, **change))
    violation = caught.value.violations[0]
    assert violation.field == field
    assert rule in violation.rule
    assert "is " in violation.rule
    assert caught.value.reason == "BAR_INVALID"


def test_several_broken_rules_are_all_named():
    with pytest.raises(InvalidArgument) as caught:
        check_bar(replace(GOOD, symbol="", volume=-1.0, close=nan))
    assert {violation.field for violation in caught.value.violations} == {"symbol", "volume", "close"}


def test_good_and_halted_bars_pass():
    check_bar(GOOD)
    halted = replace(GOOD, open=0.0, high=0.0, low=0.0, volume=0.0)
    assert halted.halted
    check_bar(halted)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbol": "A,B"}, "symbol"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"tick_size": 0.0}, "tick_size"),
        ({"price_decimals": 13}, "price_decimals"),
        ({"name": "x" * 129}, "name"),
    ],
)
def test_a_broken_instrument_names_its_field(change, field):
    with pytest.raises(InvalidArgument) as caught:
        check_instrument(replace(Instrument("A"), **change))
    assert caught.value.violations[0].field == f"instruments.{field}"
