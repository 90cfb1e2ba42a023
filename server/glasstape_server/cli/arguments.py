"""Argument types shared by several commands."""

import argparse
from pathlib import Path
from typing import Protocol


class Subparsers(Protocol):
    """Result of `ArgumentParser.add_subparsers`."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:
        """Add the parser of a subcommand."""
        ...


def positive(text: str) -> int:
    """Parse an integer, 1 or more.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, is {text!r}")
    return value


def names(text: str) -> list[str]:
    """Parse comma-separated names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def nonempty_path(text: str) -> Path:
    """Parse a path. An empty one would be the current folder.

    Raises:
        argparse.ArgumentTypeError: the text is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return Path(text)
