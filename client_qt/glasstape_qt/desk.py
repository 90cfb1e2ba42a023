"""`glasstape desk`: the desktop."""

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
    """Arguments of the command."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--server", metavar="HOST:PORT", help="server to follow (default: the profile last used)"
    )
    what.add_argument("--profile", metavar="NAME", help="profile to follow; `demo` needs no server")
    what.add_argument("--session", type=Path, metavar="FILE", help="play a recorded session")
    parser.add_argument("--speed", type=float, default=1.0, help="of --session, 0.01-100 (default: 1)")
    add_duration(parser)


def run(options: argparse.Namespace) -> int:
    """Open the desktop; returns the exit status."""
    # Nothing of grpc may print into the terminal that started the desktop.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from glasstape_qt.app import run as run_app

    try:
        profile = _profile(options)
    except ValueError as error:
        print(f"glasstape desk: {error}", file=sys.stderr)
        return 1
    return run_app(profile, options.duration)


def _profile(options: argparse.Namespace) -> "Profile | str | None":
    from glasstape_qt.state.preferences import Profile

    server = options.server or os.environ.get("GLASSTAPE_SERVER", "")
    if options.session is not None:
        if not options.session.is_file():
            raise ValueError(f"--session: there is no file {options.session}")
        return Profile(name=options.session.name[:40], session=str(options.session), speed=options.speed)
    if options.profile is not None:
        return str(options.profile)
    return Profile(name=server[:40], address=server) if server else None
