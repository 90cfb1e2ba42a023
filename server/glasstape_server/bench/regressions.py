"""What got worse between two versions of the tables of a document.

Times depend on the machine and its load, ratios to a reference of the same run hardly do. So ratios are compared, and
of figures without a reference only sizes.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MARGIN = 1.1
"""Factor beyond the earlier range from which on a ratio is worse."""
SIZES = ("bytes", "MiB")
"""Units of figures that do not depend on the speed of the machine."""
_CELL = re.compile(r"(?P<median>\S+)(?: (?P<unit>\S+))? \((?P<low>[^–]+)–(?P<high>[^)]+)\)")


@dataclass(frozen=True, slots=True)
class Spread:
    """Median of a measurement or of its ratio to a reference, with its range."""

    median: float
    low: float
    high: float
    unit: str


def committed(page: Path) -> str:
    """Return a document as it was last committed; as it is on disk where it is in no repository.

    Raises:
        OSError: it cannot be read.
    """
    command = ["git", "-C", str(page.absolute().parent), "show", f"HEAD:./{page.name}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return page.read_text()


def worse(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return a sentence for each figure that got worse.

    Args:
        before: earlier tables by the command that made them.
        after: newer tables.
    """
    sentences = []
    for command in after.keys() & before.keys():
        earlier = _figures(before[command])
        for (label, column), spread in _figures(after[command]).items():
            known = earlier.get((label, column))
            if known is not None and (column or spread.unit in SIZES) and _is_worse(known, spread):
                what = f"{label}{column and f' / {column}'}"
                range_ = f"{known.median:g} ({known.low:g}–{known.high:g})"
                sentences.append(f"{command.split()[0]}: {what}: {spread.median:g}, was {range_}")
    return sorted(sentences)


def _is_worse(before: Spread, after: Spread) -> bool:
    if after.unit.endswith("/s"):
        return after.median * MARGIN < before.low
    return after.median > before.high * MARGIN


def _figures(table: str) -> dict[tuple[str, str], Spread]:
    """Return the cells of a table by row and reference; the reference of a row's own figure is empty."""
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    if not rows:
        return {}
    references = ["", *(name.strip().removeprefix("/ ").removeprefix("by ") for name in rows[0][2:])]
    figures = {}
    for label, *cells in rows[2:]:
        own = _CELL.fullmatch(cells[0].strip()) if cells else None
        for reference, text in zip(references, cells, strict=False):
            cell = _CELL.fullmatch(text.strip())
            if cell is not None and own is not None:
                median, low, high = (float(cell[part].replace(",", "")) for part in ("median", "low", "high"))
                figures[label.strip(), reference] = Spread(median, low, high, own["unit"] or "")
    return figures
