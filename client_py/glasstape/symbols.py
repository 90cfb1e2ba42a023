"""The rule for symbols, and signs that a list of symbols is damaged.

from glasstape.symbols import reason_invalid

if reason := reason_invalid("BRK B"):
    print(reason)  # must be 1-64 printable ASCII characters without ..., is 'BRK B': character 4 is a blank
"""

import re
from collections import defaultdict
from collections.abc import Iterable

MAX_LENGTH = 64
"""Characters of a symbol."""
SYMBOL_RULE = f"must be 1-{MAX_LENGTH} printable ASCII characters without blanks, quotes, \\ , * and >"
SYMBOL_PATTERN = r"[!#-&(-)+\--=?-\[\]-~]{1,64}"
"""A regular expression that a whole symbol matches, in the syntax of Python and of Rust (polars)."""

_SYMBOL = re.compile(SYMBOL_PATTERN)
_NAMES = {
    " ": "a blank",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a line break",
    '"': "a quote",
    "'": "a quote",
}
_EXAMPLES = 3
"""Symbols that a warning names."""


def is_symbol(text: str) -> bool:
    """Return whether a text is a valid symbol."""
    return _SYMBOL.fullmatch(text) is not None


def reason_invalid(text: str) -> str | None:
    """Return why a text is no symbol: the rule, the text and the first wrong character; None: it is one."""
    if is_symbol(text):
        return None
    if not text:
        return f"{SYMBOL_RULE}, is empty"
    shown = repr(text[:MAX_LENGTH])
    for place, character in enumerate(text[: MAX_LENGTH + 1], 1):
        if not is_symbol(character):
            return f"{SYMBOL_RULE}, is {shown}: character {place} is {_NAMES.get(character, repr(character))}"
    return f"{SYMBOL_RULE}, is {shown} with {len(text):,} characters"


def case_twins(symbols: Iterable[str]) -> list[str]:
    """Return a warning for each set of symbols that differ by upper and lower case alone."""
    twins: defaultdict[str, set[str]] = defaultdict(set)
    for symbol in symbols:
        twins[symbol.casefold()].add(symbol)
    return [
        f"symbols {', '.join(sorted(group))} differ by upper and lower case alone and are separate instruments"
        for _, group in sorted(twins.items())
        if len(group) > 1
    ]


def lost_zeros(symbols: Iterable[str]) -> list[str]:
    """Return warnings about codes of digits whose leading zeros seem to be lost.

    Codes of one market have equal lengths: 005930, not 5930. A length at which a code begins with 0 is a length of
    its own (0700 in Hong Kong).
    """
    lengths: defaultdict[int, list[str]] = defaultdict(list)
    for symbol in sorted(set(symbols)):
        if symbol.isascii() and symbol.isdigit():
            lengths[len(symbol)].append(symbol)
    if len(lengths) < 2:
        return []
    longest = max(lengths)
    warnings = []
    for length, codes in sorted(lengths.items()):
        if length == longest or any(code.startswith("0") for code in codes):
            continue
        example = f"{', '.join(codes[:_EXAMPLES])}{', …' if len(codes) > _EXAMPLES else ''}"
        warnings.append(
            f"numeric symbols have {length} digits ({example}) and {longest} digits: leading zeros may be lost"
        )
    return warnings
