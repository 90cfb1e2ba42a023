"""Values of the options of `follow` and `fetch`."""

import argparse
from datetime import UTC, datetime, timedelta

from glasstape.cli.watch import seconds


def moment(text: str) -> datetime:
    """Return the time of a text such as 2015-01-01 or 2026-01-05T09:30+09:00; UTC without an offset.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a date or time in ISO 8601, is {text!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def duration(text: str) -> timedelta:
    """Return the time span of a text such as 20s, 5m or 1h.

    Raises:
        ArgumentTypeError: it is none, or not above 0.
    """
    return timedelta(seconds=seconds(text))


def add_interval(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the --interval option."""
    from glasstape.types.market import INTERVALS

    parser.add_argument(
        "--interval", choices=list(INTERVALS), default=default, help="bar interval (default: %(default)s)"
    )
