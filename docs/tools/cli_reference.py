"""Generate docs/reference/cli.md from the parsers of all commands."""

import argparse
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from glasstape.cli import GROUP
from reference_page import publish

HEAD = """# Command line

`glasstape --version` prints the version. A command that needs an extra names it when the extra is missing.

"""
SERVE = """```text
usage: glasstape serve [--config FILE] [--SETTING VALUE ...]
```

Every [setting](settings.md) is a flag.
"""


class RecordingParser(argparse.ArgumentParser):
    """Parser that remembers its subcommands, which argparse does not expose."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.subcommands: dict[str, RecordingParser] = {}

    def add_subparsers(self, **options: Any) -> Any:
        """See argparse."""
        action = super().add_subparsers(**options)
        self.subcommands = action.choices
        return action


def main() -> int:
    """Write or check the page; return the exit status."""
    os.environ["COLUMNS"] = "100"
    return publish(
        "cli.md", HEAD + "\n".join(section for entry in _commands() for section in _sections(entry))
    )


def _commands() -> list[RecordingParser]:
    parsers = []
    for entry in sorted(entry_points(group=GROUP)):
        command = entry.load()
        parser = RecordingParser(f"glasstape {entry.name}", description=command.HELP, allow_abbrev=False)
        command.add_arguments(parser)
        parsers.append(parser)
    return parsers


def _sections(parser: RecordingParser, level: int = 2) -> Iterator[str]:
    body = SERVE if parser.prog == "glasstape serve" else f"```text\n{parser.format_help()}```\n"
    yield f"{'#' * level} {parser.prog}\n\n{body}"
    for subcommand in parser.subcommands.values():
        yield from _sections(subcommand, level + 1)


if __name__ == "__main__":
    sys.exit(main())
