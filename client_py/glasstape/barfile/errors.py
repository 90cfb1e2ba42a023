"""Errors of bar files: of a whole file, and of single rows grouped by their rule."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path

FIRST_LINES = 3
"""Lines that a group of row problems names."""
KINDS = ("fields", "missing", "symbol", "time", "skipped", "number")
"""Kinds of row problems, most severe first: number of fields, empty cell, symbol, time, local time that does not
exist, number."""


class BarFileError(ValueError):
    """A file, or an option for it, from which no bars can be read; the text names file, rule and remedy."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row holds no bar."""

    kind: str
    """One of `KINDS`."""
    field: str
    """Role or title of the cell."""
    rule: str
    """What it must be, and what to do."""
    value: str
    """The cell."""


@dataclass(slots=True)
class ProblemGroup:
    """Rows that broke one rule in one field."""

    kind: str
    field: str
    rule: str
    count: int = 0
    first: list[tuple[int, str]] = dataclass_field(default_factory=list)
    """Line and value of the first rows, at most `FIRST_LINES`."""

    def to_text(self, unit: str = "line") -> str:
        """Return one sentence with count, lines and values."""
        values = ", ".join(f"{unit} {line} has {value[:60]!r}" for line, value in self.first)
        more = ", …" if self.count > len(self.first) else ""
        rows = "1 row" if self.count == 1 else f"{self.count:,} rows"
        return f"{self.kind}: {rows}: {self.field} {self.rule}: {values}{more}"


@dataclass(slots=True)
class Problems:
    """Row problems of one file, by kind, field and rule."""

    unit: str = "line"
    """What rows are counted in."""
    groups: dict[tuple[str, str, str], ProblemGroup] = dataclass_field(default_factory=dict)

    def add(self, problem: RowProblem, line: int) -> None:
        """Note a row."""
        group = self.group(problem.kind, problem.field, problem.rule)
        group.count += 1
        if len(group.first) < FIRST_LINES:
            group.first.append((line, problem.value))

    def group(self, kind: str, field: str, rule: str) -> ProblemGroup:
        """Return the group of a rule."""
        key = (kind, field, rule)
        return self.groups.setdefault(key, ProblemGroup(*key))

    def ordered(self, kinds: Iterable[str] | None = None) -> Sequence[ProblemGroup]:
        """Return the groups, of some kinds or of all, most severe first, then by first line."""
        chosen = [group for group in self.groups.values() if kinds is None or group.kind in kinds]
        return sorted(chosen, key=lambda group: (KINDS.index(group.kind), group.first[0]))

    @property
    def counts(self) -> Counter[str]:
        """Rows by kind."""
        counts: Counter[str] = Counter()
        for group in self.groups.values():
            counts[group.kind] += group.count
        return counts

    def check(self, path: Path, accepted: frozenset[str]) -> list[str]:
        """Return a note for each group of an accepted kind, whose rows are left out.

        Raises:
            BarFileError: there are rows of other kinds.
        """
        refused = self.ordered(set(KINDS) - accepted)
        if refused:
            lines = "\n".join(f"  {group.to_text(self.unit)}" for group in refused)
            kinds = ",".join(dict.fromkeys(group.kind for group in refused))
            raise BarFileError(
                f"{path}: rows cannot be read; correct them, or leave them out with --accept {kinds}\n{lines}"
            )
        return [f"left out: {group.to_text(self.unit)}" for group in self.ordered(accepted)]
