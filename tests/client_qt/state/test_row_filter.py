from dataclasses import replace

import pytest
from glasstape import Instrument
from glasstape_qt.state.row_filter import FilterItem, initials, parse_filter
from glasstape_qt.state.watch_row import WatchRow
from stores import DOWN, UP, confidence

SAMSUNG = WatchRow(
    confidence("005930", UP),
    Instrument(
        symbol="005930",
        name="Samsung Electronics",
        local_name="삼성전자",
        sector="Technology",
        industry="반도체",
    ),
)
APPLE = WatchRow(confidence("AAPL", replace(DOWN, abstained=True)), Instrument(symbol="AAPL", name="Apple"))


@pytest.mark.parametrize(
    ("text", "samsung", "apple"),
    [
        ("", True, True),
        ("aapl", False, True),
        ("5930", True, False),
        ("삼성", True, False),
        ("ㅅㅅㅈㅈ", True, False),
        ("ㅈㅈ", True, False),
        ("ㅇㅍ", False, False),
        ("electronics", True, False),
        ("technology", True, False),
        ("반도체", True, False),
        ("ㅂㄷㅊ", True, False),
        ("up", True, False),
        ("상승", True, False),
        ("DOWN", False, True),
        (">=52", True, False),
        (">=0.52", True, False),
        ("buy>=40", True, False),
        ("down>45%", False, True),
        ("<=50", False, True),
        ("up samsung", True, False),
        ("up aapl", False, False),
        ("!abstained", True, False),
        ("보류", False, True),
        ("!", False, False),
        ("삼ㅅ", True, False),
        ("사", True, False),
        ("삼서", True, False),
        ("삼전", False, False),
        ("ㅈㅈㄱ", False, False),
        ("\u1109\u1161\u11b7\u1109\u1165\u11bc", True, False),  # 삼성 as macOS writes file names
        ("ＡＡＰＬ", False, True),
        ("ｂｕｙ＞＝４０", True, False),
        ("buy >= 40", True, False),
        ("buy>= 40 samsung", True, False),
        ("매수>=40", True, False),
        (">= .52", True, False),
    ],
)
def test_words_narrow_the_table(text, samsung, apple):
    matches = parse_filter(text)
    assert (matches(SAMSUNG), matches(APPLE)) == (samsung, apple)


def test_consonants_that_an_input_method_joins_are_found():
    named = FilterItem(Instrument(symbol="1", local_name="기술보증"), None)
    assert parse_filter("ㄳ")(named)
    assert not parse_filter("ㄳ")(SAMSUNG)


def test_a_symbol_without_a_signal_matches_names_only():
    item = FilterItem(Instrument(symbol="AAPL"), None)
    assert parse_filter("aap")(item)
    assert not any(parse_filter(text)(item) for text in ("up", ">=0", "down<90", "abstained"))


def test_initials_of_hangul_and_nothing_else():
    assert initials("삼성전자 A1 현대차") == "ㅅㅅㅈㅈ A1 ㅎㄷㅊ"
