"""Write a generated page of docs/reference, or check that it is up to date."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "reference"


def publish(name: str, text: str) -> int:
    """Write a page, or with --check compare it with the file; return the exit status.

    Args:
        name: of the file in docs/reference.
        text: of the page, Markdown.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="do not write; fail if the file differs")
    options = parser.parse_args()
    path = REFERENCE / name
    if not options.check:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return 0
    if path.is_file() and path.read_text() == text:
        return 0
    print(f"{path} is not up to date; run python {sys.argv[0]}", file=sys.stderr)
    return 1


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)
