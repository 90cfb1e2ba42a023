"""Numbers as spreadsheets, exchanges and vendors write them, and the proof of their decimal sign.

The patterns hold ASCII classes only and no look-around, so that other engines of regular expressions read them alike.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from glasstape.barfile.errors import BarFileError

MISSING = frozenset({
    "", "-", "--", "—", "n/a", "na", "nan", "#n/a", "null", "none", "nil", ".", "<na>", "nat", "없음",
})  # fmt: skip
"""Cells that state that there is no value, in lower case."""
_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_SIGN = r"[+-]?"
PLAIN = {
    ".": rf"^{_SIGN}[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?$",
    ",": rf"^{_SIGN}[0-9]+(?:,[0-9]*)?(?:[eE][+-]?[0-9]+)?$",
}
"""Numbers without groups, by decimal sign."""
_POINT_FIRST = {".": re.compile(rf"{_SIGN}\.[0-9]+"), ",": re.compile(rf"{_SIGN},[0-9]+")}
_GROUPS = r"[1-9][0-9]{{0,2}}(?:[{marks}][0-9]{{3}})+"
_INDIAN = r"[1-9][0-9]?(?:[{marks}][0-9]{{2}})+[{marks}][0-9]{{3}}"
_BLANK_MARKS = " \u00a0\u202f\u2009"
_MARKS = {".": "," + _BLANK_MARKS, ",": r"\." + _BLANK_MARKS}
_FRACTION = {".": r"(?:\.[0-9]*)?$", ",": r"(?:,[0-9]*)?$"}
# An apostrophe parts thousands where a fraction or a second group shows it: bonds are quoted in 32nds, 110'160.
_APOSTROPHES = r"[1-9][0-9]{0,2}(?:(?:['’][0-9]{3})+[.,][0-9]+|(?:['’][0-9]{3}){2,})"
GROUPED = {
    sign: f"^{_SIGN}(?:{(_GROUPS + '|' + _INDIAN).format(marks=marks)}){_FRACTION[sign]}|^{_SIGN}{_APOSTROPHES}$"
    for sign, marks in _MARKS.items()
}
"""Numbers with grouped thousands, by decimal sign."""


def _proof_of(sign: str, other: str) -> str:
    """Return the pattern of cells that prove a decimal sign, given both signs as patterns."""
    return "|".join((
        rf"[0-9]{sign}(?:[0-9]{{1,2}}|[0-9]{{4,}})$",  # a fraction that is no group of three digits
        rf"^[+-]?(?:0[0-9]*)?{sign}[0-9]",  # nothing, or a 0, before the sign
        rf"[0-9]{{4}}{sign}[0-9]",  # four digits before it, that are no group
        rf"[0-9]{other}[0-9]{{3}}{sign}",  # groups by the other sign before it
        rf"^[+-]?[0-9]{{1,3}}(?:{other}[0-9]{{3}}){{2,}}$",  # two groups by the other sign
    ))  # fmt: skip


PROOF = {".": _proof_of(r"\.", ","), ",": _proof_of(",", r"\.")}
"""Cells that prove which sign is the decimal one."""
EITHER = {".": r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$", ",": r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"}
"""Cells in which the sign may be decimal, or part the thousands."""
_CURRENCY = re.compile(r"^([+-]?)(?:US\$|[$€£¥₩₹]|원)\s*|\s*(?:원|[$€£¥₩₹])$")
_plain = {sign: re.compile(pattern) for sign, pattern in PLAIN.items()}
_grouped = {sign: re.compile(pattern) for sign, pattern in GROUPED.items()}
_proof = {sign: re.compile(pattern) for sign, pattern in PROOF.items()}
_either = {sign: re.compile(pattern) for sign, pattern in EITHER.items()}

Decimal = Literal[".", ","]


def bare(text: str) -> str:
    """Return a cell without blanks of every kind and without a currency sign."""
    text = text.strip()
    return (
        _CURRENCY.sub(r"\1", text).strip()
        if text and not (text[0].isdigit() and text[-1].isdigit())
        else text
    )


def number_of(text: str, decimal: Decimal, *, scaled: bool) -> float | None:
    """Return the number in a cell; None: there is none.

    Args:
        text: the cell.
        decimal: decimal sign of the file.
        scaled: whether K, M, B and T may follow (volumes).

    Raises:
        ValueError: the cell is not a number.
    """
    text = bare(text)
    if text.lower() in MISSING:
        return None
    scale = 1.0
    if scaled and text[-1:].lower() in _SCALES:
        scale, text = _SCALES[text[-1].lower()], text[:-1].rstrip()
    if _grouped[decimal].match(text):
        text = re.sub(rf"[{_MARKS[decimal]}'’]", "", text)
    elif not _plain[decimal].match(text) and not _POINT_FIRST[decimal].fullmatch(text):
        raise ValueError(text)
    value = float(text.replace(",", ".") if decimal == "," else text)
    return round(value * scale, 6) if scale != 1.0 else value


@dataclass(slots=True)
class DecimalEvidence:
    """Cells that say, or leave open, which sign is decimal."""

    proof: dict[str, tuple[int, str]] = field(default_factory=dict)
    """First line and cell that prove a sign, by sign."""
    either: dict[str, tuple[int, str]] = field(default_factory=dict)
    """First line and cell that leave a sign open, by sign."""

    def see(self, text: str, line: int) -> None:
        """Note one cell."""
        text = bare(text)
        if "." not in text and "," not in text:
            return
        for sign in (".", ","):
            if sign not in self.proof and _proof[sign].search(text):
                self.note(self.proof, sign, line, text)
            if sign not in self.either and _either[sign].match(text):
                self.note(self.either, sign, line, text)

    @staticmethod
    def note(cells: dict[str, tuple[int, str]], sign: str, line: int, text: str) -> None:
        """Keep a cell if its line is the first."""
        if sign not in cells or line < cells[sign][0]:
            cells[sign] = (line, text)

    def decide(self, stated: str, delimiter: str, where: str) -> Decimal:
        """Return the decimal sign.

        Args:
            stated: by the user; empty: not stated.
            delimiter: of the file's cells; a point is decimal in files that commas delimit.
            where: the file, for messages.

        Raises:
            BarFileError: cells prove both signs, or a cell may be read in two ways and none decides.
        """
        if stated:
            return "," if stated == "," else "."
        if len(self.proof) == 2:
            (point_line, point), (comma_line, comma) = self.proof["."], self.proof[","]
            raise BarFileError(
                f"{where}: the decimal sign changes: line {point_line} has {point!r}, line {comma_line} has {comma!r}; "
                "state it with --decimal . or --decimal ,"
            )
        if "," in self.proof:
            return ","
        if "." in self.proof:
            return "."
        if "," in self.either:
            raise self._open(",", where)
        if "." in self.either and delimiter != ",":
            raise self._open(".", where)
        return "."

    def _open(self, sign: str, where: str) -> BarFileError:
        line, text = self.either[sign]
        other = text.replace(sign, "")
        part = text.replace(",", ".")
        return BarFileError(
            f"{where}: line {line} has {text!r}, which may be {other} or {part}; no cell of the file decides: "
            "set --decimal . or --decimal ,"
        )
