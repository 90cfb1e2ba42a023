"""The command `glasstape desk`."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.connect import file_path
from glasstape.cli.watch import add_duration

if TYPE_CHECKING:
    from glasstape_qt.state.preferences import Profile

HELP = "open the desktop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--server", metavar="HOST:PORT", help="server to connect to (default: what was used last)"
    )
    source.add_argument("--profile", metavar="NAME", help="profile to use; `demo` needs no server")
    source.add_argument("--session", type=Path, metavar="FILE", help="recorded session to play")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="playback speed of --session, 0.01-100 (default: 1)"
    )
    parser.add_argument(
        "--token-file",
        type=file_path,
        default=os.environ.get("GLASSTAPE_TOKEN_FILE") or None,
        metavar="FILE",
        help="read the bearer token from this file, not from the keyring (default: GLASSTAPE_TOKEN_FILE)",
    )
    parser.add_argument("--tls", action="store_true", help="connect to --server with TLS")
    parser.add_argument(
        "--root-certificates",
        type=file_path,
        metavar="FILE",
        help="PEM file: certificate authorities to trust; implies --tls (default: those of the system)",
    )
    parser.add_argument(
        "--once", action="store_true", help="do not connect to the same server or session at the next start"
    )
    add_duration(parser)


def run(options: argparse.Namespace) -> int:
    """Open the desktop; return the exit status."""
    # gRPC must not write to the terminal that started the desktop.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from glasstape_qt import display
        from glasstape_qt.app import run as run_app

        connection, token_file = _connection(options), _token_file(options)
    except (ImportError, ValueError) as error:
        print(f"glasstape desk: {error}", file=sys.stderr)
        return 1
    display.exit_without_display()
    return run_app(connection, options.duration, token_file=token_file, once=options.once)


def _connection(options: argparse.Namespace) -> "Profile | str | None":
    """Return the server or session that the options name, or the name of a profile; None: the one used last.

    Raises:
        ValueError: an option is invalid.
    """
    if options.session is not None:
        return _session(options)
    if options.profile is not None:
        return str(options.profile)
    server = options.server or os.environ.get("GLASSTAPE_SERVER", "")
    return _server(server, options) if server else None


def _session(options: argparse.Namespace) -> "Profile":
    from glasstape_qt.state.preferences import Profile

    if not options.session.is_file():
        raise ValueError(f"--session: no such file: {options.session}")
    if any("\ud800" <= character <= "\udfff" for character in str(options.session)):
        raise ValueError(
            f"--session: {options.session} is not text in this locale; set a UTF-8 locale, such as C.UTF-8"
        )
    if not 0.01 <= options.speed <= 100:
        raise ValueError(f"--speed: must be 0.01-100, is {options.speed:g}")
    path = options.session.resolve()
    return Profile(name=path.name[:40], session=str(path), speed=options.speed)


def _server(server: str, options: argparse.Namespace) -> "Profile":
    from glasstape.address import Address

    from glasstape_qt.state.preferences import Profile

    try:
        address = str(Address.parse(server))
    except ValueError as error:
        raise ValueError(f"--server: {error}") from None
    roots = options.root_certificates
    return Profile(
        name=address[:40],
        address=address,
        tls=options.tls or roots is not None,
        root_certificates=str(roots.resolve()) if roots is not None else "",
    )


def _token_file(options: argparse.Namespace) -> str:
    """Return the path of the token file; "": none.

    Raises:
        ValueError: there is no such file.
    """
    if options.token_file is None:
        return ""
    path = Path(options.token_file).resolve()
    if not path.is_file():
        raise ValueError(f"--token-file: no such file: {path}")
    return str(path)
