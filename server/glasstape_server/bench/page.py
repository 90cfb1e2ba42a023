"""`glasstape bench page FILE`: make a document's tables anew, each by the command that it names.

A table stands between `<!-- bench WHAT --flags -->` and `<!-- end -->`; what is written around it stays.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path


def remake(
    page: Path, only: Collection[str], measure: Callable[[Sequence[str]], str], *, mark: str = "bench"
) -> list[str]:
    """Replace the tables of a document, one after the other, so that a failure loses none that were made.

    Args:
        page: the document.
        only: names of benchmarks; empty: all.
        measure: gives the Markdown of a command line.
        mark: first word of the comments that enclose the tables.

    Returns:
        The commands that were run.

    Raises:
        OSError: the document cannot be read or written.
        ValueError: it names no such benchmark.
    """
    enclosed = re.compile(rf"(<!-- {mark} (?P<command>[^\n]*?) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)
    commands = [match["command"] for match in enclosed.finditer(page.read_text())]
    unknown = sorted(set(only) - {command.split()[0] for command in commands})
    if unknown or not commands:
        known = ", ".join(dict.fromkeys(command.split()[0] for command in commands)) or "none at all"
        raise ValueError(
            f"only: {page} has tables of {known}, none of {', '.join(unknown) or 'any benchmark'}"
        )
    wanted = [command for command in commands if not only or command.split()[0] in only]
    for command in wanted:
        table = measure(command.split())
        page.write_text(enclosed.sub(partial(_replaced, command, table), page.read_text()))
    return wanted


def _replaced(command: str, table: str, match: re.Match[str]) -> str:
    return match[0] if match["command"] != command else f"{match[1]}{table}\n{match[4]}"
