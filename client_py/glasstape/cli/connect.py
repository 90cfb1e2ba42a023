"""What every command that talks to a server shares."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from glasstape import Client

DEFAULT_SERVER = "localhost:50551"

WIDE = 200
"""Columns of a table that goes to a file or a pipe."""


def add_server(parser: argparse.ArgumentParser) -> None:
    """The --server option."""
    parser.add_argument(
        "--server",
        default=os.environ.get("GLASSTAPE_SERVER", DEFAULT_SERVER),
        metavar="HOST:PORT",
        help="server to talk to (default: GLASSTAPE_SERVER or %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """The --json option."""
    parser.add_argument("--json", action="store_true", help="print JSON, one object on a line")


@contextmanager
def connected(options: argparse.Namespace) -> Iterator["Client"]:
    """A client of the chosen server."""
    from glasstape import Client

    with Client(options.server) as client:
        yield client


def reported(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Print errors of the SDK as one sentence instead of a traceback."""

    def wrapper(options: argparse.Namespace) -> int:
        from glasstape import GlasstapeError, UnavailableError

        try:
            return run(options)
        except UnavailableError as error:
            print(f"glasstape: no answer from {options.server}: {error}", file=sys.stderr)
        except GlasstapeError as error:
            print(f"glasstape: {error.code}: {error}", file=sys.stderr)
        except (OSError, ValueError, OverflowError, KeyError) as error:
            # Files and flags come from people: what is wrong with them is one sentence.
            print(f"glasstape: {error}", file=sys.stderr)
        return 1

    return wrapper


def print_json(value: object) -> None:
    """One value as one line of JSON."""
    print(json.dumps(to_json(value), ensure_ascii=False), flush=True)


def to_json(value: object) -> Any:
    """An SDK value as JSON values: enums by name, times in ISO 8601, arrays as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        kind = getattr(value, "kind", None)
        return {"kind": to_json(kind), **plain} if kind is not None else plain
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Exception):
        return {"code": getattr(value, "code", ""), "message": str(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def wide_console() -> "Console":
    """Standard output; where nobody looks at a terminal, tables are as wide as they need to be."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDE)
