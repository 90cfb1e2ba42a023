"""Type-to-filter: words of which each must hold for a row.

`aapl` code or name · `삼성` name · `ㅅㅅㅈㅈ` initial consonants · `up` the class · `>=55` or `>=0.55` the winning
confidence · `buy>=40` the confidence of class 2 · `!abstained` not abstained.
"""

import re
from collections.abc import Callable

from glasstape import Direction

from glasstape_qt.state.rows import Row

Test = Callable[[Row], bool]

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FIRST, _LAST, _BLOCK = ord("가"), ord("힣"), 588
_LEVEL = re.compile(r"(buy|up|down|flat)?(>=|>|<=|<|≥|≤)(\d+(?:\.\d+)?)%?")
_CLASSES = {
    "up": Direction.UP, "down": Direction.DOWN, "flat": Direction.FLAT,
    "상승": Direction.UP, "하락": Direction.DOWN, "보합": Direction.FLAT,
}  # fmt: skip


def initials(text: str) -> str:
    """Initial consonants of the Hangul syllables; everything else unchanged."""
    return "".join(
        _INITIALS[(ord(sign) - _FIRST) // _BLOCK] if _FIRST <= ord(sign) <= _LAST else sign for sign in text
    )


def parse(text: str) -> Test:
    """A test of rows. Words that say nothing special are looked for in code and names."""
    tests = [_test(word) for word in text.casefold().split()]
    return lambda row: all(test(row) for test in tests)


def _test(word: str) -> Test:
    bare = word.lstrip("!")
    if bare and bare != word:
        inner, turned = _test(bare), (len(word) - len(bare)) % 2 == 1
        return lambda row: inner(row) is not turned
    if level := _LEVEL.fullmatch(word):
        return _level(level[1] or "", level[2], float(level[3]))
    if word in _CLASSES:
        wanted = _CLASSES[word]
        return lambda row: row.direction is wanted or _named(row, word)
    if word in ("abstained", "보류"):
        return lambda row: row.event.signal.confidence.abstained
    return lambda row: _named(row, word)


def _level(which: str, sign: str, number: float) -> Test:
    least = number / 100 if number > 1 or "." not in str(number).rstrip("0") else number
    less = sign in ("<", "<=", "≤")

    def test(row: Row) -> bool:
        said = row.event.signal.confidence
        value = said.winning if not which else getattr(said, "up" if which == "buy" else which)
        return bool(value <= least if less else value >= least)

    return test


def _named(row: Row, word: str) -> bool:
    names = (row.symbol, row.instrument.name, row.instrument.local_name)
    if any(word in name.casefold() for name in names):
        return True
    if all(sign in _INITIALS for sign in word):
        return word in initials(row.instrument.local_name) or word in initials(row.instrument.name)
    return False
