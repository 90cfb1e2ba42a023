"""Kinds of verdicts on rows of bars, as reports and `--accept` name them."""

from dataclasses import dataclass
from enum import IntEnum


class RowVerdict(IntEnum):
    """What becomes of one row. From `SYMBOL` on it is rejected, and the name ends with the field."""

    GOOD = 0
    NO_TRADE = 1
    """Volume 0 at one price: stored, and in no window."""
    HALTED = 2
    """A close without open, high and low: stored, and in no window."""
    EQUAL_REPEAT = 3
    """Symbol, close time and values of an earlier row: ignored."""
    CONFLICTING_REPEAT = 4
    """Symbol and close time of an earlier row with other values: rejected, the first row counts."""
    SYMBOL = 5
    TIME = 6
    PRICE_OPEN = 7
    PRICE_HIGH = 8
    PRICE_LOW = 9
    PRICE_CLOSE = 10
    BAND_HIGH = 11
    BAND_OPEN = 12
    BAND_CLOSE = 13
    VOLUME = 14


@dataclass(frozen=True, slots=True)
class VerdictKind:
    """A verdict as reports name it."""

    name: str
    """Name for `--accept`."""
    text: str
    """Description of such rows, after their number."""
    remedy: str
    verdicts: tuple[RowVerdict, ...]

    @property
    def rejected(self) -> bool:
        """Whether such rows are rejected."""
        return self.verdicts[0] >= RowVerdict.CONFLICTING_REPEAT


KINDS = (
    VerdictKind(
        "symbol",
        "bars have an invalid symbol",
        "rename it",
        (RowVerdict.SYMBOL,),
    ),
    VerdictKind(
        "time",
        "bars close outside 1970-2099",
        "correct their dates",
        (RowVerdict.TIME,),
    ),
    VerdictKind(
        "price",
        "bars have a price that is not a number above 0",
        "correct or remove them",
        (RowVerdict.PRICE_OPEN, RowVerdict.PRICE_HIGH, RowVerdict.PRICE_LOW, RowVerdict.PRICE_CLOSE),
    ),
    VerdictKind(
        "band",
        "bars have an open or close outside low-high",
        "columns may be swapped, or only some prices adjusted",
        (RowVerdict.BAND_HIGH, RowVerdict.BAND_OPEN, RowVerdict.BAND_CLOSE),
    ),
    VerdictKind(
        "volume",
        "bars have a volume that is negative or not a number",
        "fill it, or leave the symbol out",
        (RowVerdict.VOLUME,),
    ),
    VerdictKind(
        "conflict",
        "bars have symbol and close time of an earlier row, and other values",
        "keep one of each; a column with the time of day may not have been read",
        (RowVerdict.CONFLICTING_REPEAT,),
    ),
    VerdictKind(
        "duplicate",
        "bars repeat an earlier row",
        "they are left out",
        (RowVerdict.EQUAL_REPEAT,),
    ),
    VerdictKind(
        "halted",
        "halted bars (a close without open, high and low)",
        "they are left out",
        (RowVerdict.HALTED,),
    ),
    VerdictKind(
        "no-trade",
        "bars without trades (volume 0 at one price)",
        "they are left out",
        (RowVerdict.NO_TRADE,),
    ),
)
"""Kinds of verdicts other than good, most severe first."""
REJECTED_KINDS = tuple(kind for kind in KINDS if kind.rejected)
