from dataclasses import replace

import pytest
from glasstape import Instrument
from glasstape_qt.state.row_filter import initials, parse_filter
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
    ],
)
def test_words_narrow_the_table(text, samsung, apple):
    matches = parse_filter(text)
    assert (matches(SAMSUNG), matches(APPLE)) == (samsung, apple)


def test_initials_of_hangul_and_nothing_else():
    assert initials("삼성전자 A1 현대차") == "ㅅㅅㅈㅈ A1 ㅎㄷㅊ"
