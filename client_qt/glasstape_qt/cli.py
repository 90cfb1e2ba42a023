"""The command `glasstape desk`."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.watch import add_duration

if TYPE_CHECKING:
    from glasstape_qt.state.preferences import Profile

HELP = "open the desktop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--server", metavar="HOST:PORT", help="server to connect to (default: the profile used last)"
    )
    source.add_argument("--profile", metavar="NAME", help="profile to use; `demo` needs no server")
    source.add_argument("--session", type=Path, metavar="FILE", help="recorded session to play")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="playback speed of --session, 0.01-100 (default: 1)"
    )
    add_duration(parser)


def run(options: argparse.Namespace) -> int:
    """Open the desktop; return the exit status."""
    # gRPC must not write to the terminal that started the desktop.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from glasstape_qt.app import run as run_app

    try:
        profile = _profile(options)
    except ValueError as error:
        print(f"glasstape desk: {error}", file=sys.stderr)
        return 1
    return run_app(profile, options.duration)


def _profile(options: argparse.Namespace) -> "Profile | str | None":
    """Return the profile that the options name; None: the one used last.

    Raises:
        ValueError: an address or a file is invalid.
    """
    from glasstape.address import Address

    from glasstape_qt.state.preferences import Profile

    server = options.server or os.environ.get("GLASSTAPE_SERVER", "")
    if options.session is not None:
        if not options.session.is_file():
            raise ValueError(f"--session: no such file: {options.session}")
        if any("\ud800" <= character <= "\udfff" for character in str(options.session)):
            raise ValueError(
                f"--session: {options.session} is not text in this locale; set a UTF-8 locale, such as C.UTF-8"
            )
        return Profile(name=options.session.name[:40], session=str(options.session), speed=options.speed)
    if options.profile is not None:
        return str(options.profile)
    if not server:
        return None
    try:
        address = str(Address.parse(server))
    except ValueError as error:
        raise ValueError(f"--server: {error}") from None
    return Profile(name=address[:40], address=address)
