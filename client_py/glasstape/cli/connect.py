"""Options and output shared by the commands that call a server."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.cli.output import can_encode, make_console
from glasstape.textfile import read_pem, read_text

if TYPE_CHECKING:
    from rich.console import Console

    from glasstape import Client, Tls

DEFAULT_SERVER = "localhost:50551"

_TLS_OPTIONS = {
    "tls.root_certificates": "--root-certificates",
    "tls.client_key": "--client-key",
    "tls.client_certificates": "--client-certificate",
}
"""Option of each field of `Tls`."""

WIDE = 200
"""Columns of a table written to a file or pipe."""


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the options of a connection."""
    parser.add_argument(
        "--server",
        default=os.environ.get("GLASSTAPE_SERVER") or DEFAULT_SERVER,
        metavar="HOST:PORT",
        help="server address (default: GLASSTAPE_SERVER or %(default)s)",
    )
    parser.add_argument(
        "--token-file",
        type=file_path,
        default=os.environ.get("GLASSTAPE_TOKEN_FILE") or None,
        metavar="FILE",
        help="read the bearer token from this file (default: GLASSTAPE_TOKEN_FILE)",
    )
    parser.add_argument(
        "--tls", action="store_true", help="connect with TLS; implied by the certificate options"
    )
    for flag, text in (
        ("--root-certificates", "certificate authorities to trust (default: those of the system)"),
        ("--client-certificate", "client certificate for mutual TLS"),
        ("--client-key", "client key for mutual TLS"),
    ):
        parser.add_argument(flag, type=file_path, metavar="FILE", help=f"PEM file: {text}")


def file_path(text: str) -> Path:
    """Return the path of a file that an option names; an empty text would be the current folder.

    Raises:
        ArgumentTypeError: the text is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("must name a file, is empty")
    return Path(text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the --json option."""
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")


@contextmanager
def connected(options: argparse.Namespace) -> Iterator["Client"]:
    """Yield a client of the chosen server."""
    from glasstape import Client

    with Client(options.server, tls=tls_of(options), token=token_of(options)) as client:
        yield client


def token_of(options: argparse.Namespace) -> str | None:
    """Return the bearer token. It is read from a file, since arguments show in process lists.

    Raises:
        ValueError: the file is empty, or no text.
        OSError: the file cannot be read.
    """
    if options.token_file is None:
        return None
    token = read_text(options.token_file).strip()
    if not token:
        raise ValueError(f"--token-file: {options.token_file} is empty")
    return token


def tls_of(options: argparse.Namespace) -> "Tls | None":
    """Return the TLS settings; None: plaintext.

    Raises:
        ValueError: only one of client key and client certificate is set, or a file is not PEM or cannot be used.
        OSError: a file cannot be read.
    """
    from glasstape import InvalidRequestError, Tls

    files = (options.root_certificates, options.client_key, options.client_certificate)
    if not options.tls and not any(files):
        return None
    if (options.client_key is None) != (options.client_certificate is None):
        raise ValueError("--client-certificate and --client-key: must be set together")
    roots, key, chain = (read_pem(file) if file else None for file in files)
    try:
        return Tls(root_certificates=roots, client_key=key, client_certificates=chain)
    except InvalidRequestError as error:
        (violation,) = error.violations
        raise ValueError(f"{_TLS_OPTIONS[violation.field]}: {violation.rule}") from None


def reported(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Wrap a command to print errors as one sentence instead of a traceback."""

    def wrapper(options: argparse.Namespace) -> int:
        from glasstape import GlasstapeError, UnavailableError

        try:
            return run(options)
        except UnavailableError as error:
            address = vars(options).get("server", "the server")
            print(f"glasstape: {address} is unavailable: {error}", file=sys.stderr)
        except GlasstapeError as error:
            print(f"glasstape: {error.code}: {error}", file=sys.stderr)
        except BrokenPipeError:
            raise
        except (OSError, ValueError, OverflowError, KeyError) as error:
            # Errors of files and options are user errors: no traceback.
            print(f"glasstape: {error}", file=sys.stderr)
        return 1

    return wrapper


def print_json(value: object) -> None:
    """Print a value as one line of JSON; where standard output is not Unicode, with escapes for other characters."""
    plain = to_json(value)
    text = json.dumps(plain, ensure_ascii=False)
    print(text if can_encode(text) else json.dumps(plain), flush=True)


def to_json(value: object) -> Any:
    """Return an SDK value as JSON values: enums by name, times in ISO 8601, durations in seconds, arrays as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        kind = getattr(value, "kind", None)
        return {"kind": to_json(kind), **plain} if kind is not None else plain
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
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
    """Return a console on standard output; tables for a file or pipe are not cut to a terminal's width."""
    console = make_console()
    return console if console.is_terminal else make_console(width=WIDE)
