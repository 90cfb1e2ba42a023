"""Argument types shared by several commands."""

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from glasstape_server.domain.times import DAY, HOUR, SECOND


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


UNITS = {"m": 60 * SECOND, "h": HOUR, "d": DAY, "w": 7 * DAY}
"""Length of a minute, an hour, a day and a week, microseconds."""


def duration(text: str) -> int:
    """Parse a duration, such as 90m, 12h, 5d or 1w; return it in microseconds.

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"must be a number 1-99999 with the unit m, h, d or w (minutes, hours, days, weeks), is {text!r}"
        )
    return int(match[1]) * UNITS[match[2]]


def lifetime(text: str) -> timedelta | None:
    """Parse a duration; None for "never".

    Raises:
        argparse.ArgumentTypeError: the text is anything else.
    """
    return None if text == "never" else timedelta(microseconds=duration(text))


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
