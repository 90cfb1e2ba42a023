"""`glasstape bench page FILE`: update the tables of a document by rerunning the command that each names.

A table is enclosed by `<!-- bench BENCHMARK --flags -->` and `<!-- end -->`; other text is kept.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path


def update_tables(
    page: Path, only: Collection[str], measure: Callable[[Sequence[str]], str], *, mark: str = "bench"
) -> list[str]:
    """Update the tables of a document one by one, so that a failure keeps earlier updates.

    Args:
        page: the document.
        only: names of benchmarks; empty for all.
        measure: returns the Markdown table of a command line.
        mark: first word of the comments that enclose the tables.

    Returns:
        The commands that were run.

    Raises:
        OSError: the document cannot be read or written.
        ValueError: the document has no table of such a benchmark.
    """
    enclosed = _enclosed(mark)
    commands = list(tables(page.read_text(), mark=mark))
    unknown = sorted(set(only) - {command.split()[0] for command in commands})
    if unknown or not commands:
        known = ", ".join(dict.fromkeys(command.split()[0] for command in commands)) or "no benchmark"
        missing = ", ".join(unknown) or "any benchmark"
        raise ValueError(f"only: {page} has tables of {known}, none of {missing}")
    selected = [command for command in commands if not only or command.split()[0] in only]
    for command in selected:
        table = measure(command.split())
        page.write_text(enclosed.sub(partial(_replaced, command, table), page.read_text()))
    return selected


def tables(text: str, *, mark: str = "bench") -> dict[str, str]:
    """Return the tables of a document by the command that makes each, in order."""
    return {match["command"]: match["table"] for match in _enclosed(mark).finditer(text)}


def _enclosed(mark: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {mark} (?P<command>[^\n]*?) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)


def _replaced(command: str, table: str, match: re.Match[str]) -> str:
    return match[0] if match["command"] != command else f"{match[1]}{table}\n{match[4]}"
