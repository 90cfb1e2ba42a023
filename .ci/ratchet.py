"""A check whose findings may only become fewer: counts by file and kind against a committed baseline."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Counts = Mapping[str, Mapping[str, int]]
"""Findings by file, then by kind."""


def run(
    name: str, count: Callable[[], Counts], explain: Callable[[str, str], list[str]], root: Path = ROOT
) -> int:
    """Compare with the baseline `.ci/NAME.json`, or rewrite it with --update; returns the exit status.

    Args:
        name: of the check.
        count: makes the current counts.
        explain: describes the findings of one kind in one file, a line each.
        root: of the repository.
    """
    parser = argparse.ArgumentParser(f".ci/{name}", description=sys.modules["__main__"].__doc__)
    parser.add_argument("--update", action="store_true", help="rewrite the baseline; no kind may grow")
    options = parser.parse_args()
    path = root / ".ci" / f"{name}.json"
    baseline: Counts = json.loads(path.read_text()) if path.exists() else {}
    current = {file: kinds for file, kinds in count().items() if kinds}
    if options.update:
        return _update(path, baseline, current)
    grown = excess(baseline, current)
    for file, kind in grown:
        print(*explain(file, kind), sep="\n")
    if grown:
        print(f"{name}: more findings than .ci/{name}.json allows", file=sys.stderr)
        return 1
    if spare := total(baseline) - total(current):
        print(
            f"{name}: {spare.total()} findings fewer than allowed; run `.venv/bin/python .ci/{name} --update`"
        )
    return 0


def excess(baseline: Counts, current: Counts) -> list[tuple[str, str]]:
    """Return each (file, kind) that has more findings than the baseline allows."""
    return [
        (file, kind)
        for file, kinds in sorted(current.items())
        for kind, number in sorted(kinds.items())
        if number > baseline.get(file, {}).get(kind, 0)
    ]


def total(counts: Counts) -> Counter[str]:
    """Return the findings of all files by kind."""
    return sum((Counter(kinds) for kinds in counts.values()), Counter())


def _update(path: Path, baseline: Counts, current: Counts) -> int:
    """Write the current counts. Files may move, so only the totals must not grow."""
    grown = total(current) - total(baseline)
    if grown and path.exists():
        print(f"not written, these grew: {dict(grown)}", file=sys.stderr)
        return 1
    lines = [
        f"{json.dumps(file)}: {json.dumps(dict(sorted(kinds.items())))}"
        for file, kinds in sorted(current.items())
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return 0
