"""`glasstape desk`: the desktop."""

import argparse
import os

from glasstape.cli.connect import add_server
from glasstape.cli.watch import add_duration

HELP = "open the desktop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_duration(parser)


def run(options: argparse.Namespace) -> int:
    """Open the desktop; returns the exit status."""
    # Nothing of grpc may print into the terminal that started the desktop.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from glasstape_qt.app import run as run_app

    return run_app(options.server, options.duration)
