"""The filter of the tables: words that must all match.

`aapl` code or name · `삼성` name · `energy` sector or industry · `ㅅㅅㅈㅈ` initial consonants · `up` the class ·
`>=55` or `>=0.55` the winning confidence · `buy>=40` the confidence of UP · `!abstained` not abstained.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from glasstape import Confidence, Direction, Instrument


class Filterable(Protocol):
    """What a filter sees of a row."""

    @property
    def instrument(self) -> Instrument:
        """Description of the symbol."""

    @property
    def confidence(self) -> Confidence | None:
        """Confidences of its signal; None: there is no signal, which no word about one matches."""


@dataclass(frozen=True, slots=True)
class FilterItem:
    """A row that is only filtered."""

    instrument: Instrument
    confidence: Confidence | None


FilterPredicate = Callable[[Filterable], bool]

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FIRST, _LAST, _BLOCK, _FINALS = ord("가"), ord("힣"), 588, 28
_CLUSTERS = {
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ",
    "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip
"""Input methods join two consonants into these."""
_SPACED_LEVEL = re.compile(r"\s*(>=|<=|>|<|≥|≤)\s*(?=[\d.])")
_LEVEL = re.compile(r"(buy|up|down|flat|매수|상승|하락|보합)?(>=|>|<=|<|≥|≤)(\d+(?:\.\d+)?|\.\d+)%?")
_CLASSES = {
    "up": Direction.UP, "down": Direction.DOWN, "flat": Direction.FLAT,
    "상승": Direction.UP, "하락": Direction.DOWN, "보합": Direction.FLAT,
}  # fmt: skip
_LEVEL_NAMES = {"buy": "up", "매수": "up", "상승": "up", "하락": "down", "보합": "flat"}


def normalized(text: str) -> str:
    """Return a text in the form that is compared: composed Hangul, narrow letters and digits, lower case."""
    # Only full-width forms are narrowed: NFKC would also change the consonants that an input method makes.
    narrow = (
        unicodedata.normalize("NFKC", sign) if "\uff01" <= sign <= "\uff5e" or sign == "\u3000" else sign
        for sign in unicodedata.normalize("NFC", text)
    )
    return "".join(narrow).casefold()


def initials(text: str) -> str:
    """Return the text with each Hangul syllable replaced by its initial consonant."""
    return "".join(
        _INITIALS[(ord(sign) - _FIRST) // _BLOCK] if _FIRST <= ord(sign) <= _LAST else sign for sign in text
    )


def parse_filter(text: str) -> FilterPredicate:
    """Return a predicate. Words without a special meaning are searched in code, names, sector and industry."""
    words = _SPACED_LEVEL.sub(r"\1", normalized(text)).split()
    predicates = [_predicate(word) for word in words]
    return lambda item: all(predicate(item) for predicate in predicates)


def searched_texts(instrument: Instrument) -> tuple[str, ...]:
    """Return the texts of an instrument that a search matches."""
    return (
        instrument.symbol, instrument.name, instrument.local_name, instrument.sector, instrument.industry,
    )  # fmt: skip


def _predicate(word: str) -> FilterPredicate:
    bare = word.lstrip("!")
    if bare and bare != word:
        inner, negated = _predicate(bare), (len(word) - len(bare)) % 2 == 1
        return lambda item: inner(item) is not negated
    if level := _LEVEL.fullmatch(word):
        return _level(level[1] or "", level[2], float(level[3]))
    if word in _CLASSES:
        direction = _CLASSES[word]
        return lambda item: _is_called(item, direction) or _matches_name(item, word)
    if word in ("abstained", "보류"):
        return lambda item: item.confidence is not None and item.confidence.abstained
    return lambda item: _matches_name(item, word)


def _is_called(item: Filterable, direction: Direction) -> bool:
    return item.confidence is not None and item.confidence.direction is direction


def _level(which: str, sign: str, number: float) -> FilterPredicate:
    limit = number / 100 if number > 1 or "." not in str(number).rstrip("0") else number
    less = sign in ("<", "<=", "≤")

    def predicate(item: Filterable) -> bool:
        if item.confidence is None:
            return False
        name = _LEVEL_NAMES.get(which, which)
        value = getattr(item.confidence, name) if name else item.confidence.winning
        return bool(value <= limit if less else value >= limit)

    return predicate


def _matches_name(item: Filterable, word: str) -> bool:
    texts = [normalized(text) for text in searched_texts(item.instrument)]
    if any(word in text for text in texts):
        return True
    typed = "".join(_CLUSTERS.get(sign, sign) for sign in word)
    return _has_hangul(typed) and any(_contains_typed(text, typed) for text in texts)


def _has_hangul(text: str) -> bool:
    return any(sign in _INITIALS or _FIRST <= ord(sign) <= _LAST for sign in text)


def _contains_typed(text: str, typed: str) -> bool:
    """Return whether a text contains what is typed: consonants begin syllables; the last syllable may be unfinished."""
    starts = range(len(text) - len(typed) + 1)
    return any(
        all(_begins(text[start + place], sign) for place, sign in enumerate(typed[:-1]))
        and _begins(text[start + len(typed) - 1], typed[-1], unfinished=True)
        for start in starts
    )


def _begins(sign: str, typed: str, *, unfinished: bool = False) -> bool:
    if sign == typed:
        return True
    if not _FIRST <= ord(sign) <= _LAST:
        return False
    if typed in _INITIALS:
        return initials(sign) == typed
    open_syllable = _FIRST <= ord(typed) <= _LAST and (ord(typed) - _FIRST) % _FINALS == 0
    return unfinished and open_syllable and 0 <= ord(sign) - ord(typed) < _FINALS
