"""The filter of the watch table: words that must all match.

`aapl` code or name · `삼성` name · `energy` sector or industry · `ㅅㅅㅈㅈ` initial consonants · `up` the class ·
`>=55` or `>=0.55` the winning confidence · `buy>=40` the confidence of UP · `!abstained` not abstained.
"""

import re
from collections.abc import Callable

from glasstape import Direction, Instrument

from glasstape_qt.state.watch_row import WatchRow

RowPredicate = Callable[[WatchRow], bool]

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FIRST, _LAST, _BLOCK = ord("가"), ord("힣"), 588
_LEVEL = re.compile(r"(buy|up|down|flat)?(>=|>|<=|<|≥|≤)(\d+(?:\.\d+)?)%?")
_CLASSES = {
    "up": Direction.UP, "down": Direction.DOWN, "flat": Direction.FLAT,
    "상승": Direction.UP, "하락": Direction.DOWN, "보합": Direction.FLAT,
}  # fmt: skip


def initials(text: str) -> str:
    """Return the text with each Hangul syllable replaced by its initial consonant."""
    return "".join(
        _INITIALS[(ord(sign) - _FIRST) // _BLOCK] if _FIRST <= ord(sign) <= _LAST else sign for sign in text
    )


def parse_filter(text: str) -> RowPredicate:
    """Return a predicate of rows. Words without a special meaning are searched in code, names, sector and industry."""
    predicates = [_predicate(word) for word in text.casefold().split()]
    return lambda row: all(predicate(row) for predicate in predicates)


def searched_texts(instrument: Instrument) -> tuple[str, ...]:
    """Return the texts of an instrument that a search matches."""
    return (
        instrument.symbol, instrument.name, instrument.local_name, instrument.sector, instrument.industry,
    )  # fmt: skip


def _predicate(word: str) -> RowPredicate:
    bare = word.lstrip("!")
    if bare and bare != word:
        inner, negated = _predicate(bare), (len(word) - len(bare)) % 2 == 1
        return lambda row: inner(row) is not negated
    if level := _LEVEL.fullmatch(word):
        return _level(level[1] or "", level[2], float(level[3]))
    if word in _CLASSES:
        direction = _CLASSES[word]
        return lambda row: row.direction is direction or _matches_name(row, word)
    if word in ("abstained", "보류"):
        return lambda row: row.event.signal.probabilities.abstained
    return lambda row: _matches_name(row, word)


def _level(which: str, sign: str, number: float) -> RowPredicate:
    limit = number / 100 if number > 1 or "." not in str(number).rstrip("0") else number
    less = sign in ("<", "<=", "≤")

    def predicate(row: WatchRow) -> bool:
        confidence = row.event.signal.probabilities
        value = confidence.winning if not which else getattr(confidence, "up" if which == "buy" else which)
        return bool(value <= limit if less else value >= limit)

    return predicate


def _matches_name(row: WatchRow, word: str) -> bool:
    if any(word in text.casefold() for text in searched_texts(row.instrument)):
        return True
    if all(sign in _INITIALS for sign in word):
        return any(word in initials(text) for text in searched_texts(row.instrument))
    return False
