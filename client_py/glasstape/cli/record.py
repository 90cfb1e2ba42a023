"""`glasstape record`: record a session to a file."""

import argparse
import sys
import time
from pathlib import Path

from glasstape.cli.connect import add_server, reported, tls_of, token_of
from glasstape.cli.watch import add_duration

HELP = "record a session to a file (replay: glasstape desk --session FILE)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_duration(parser)
    parser.add_argument("file", type=Path, help="session file; a name ending in .gz is compressed")
    parser.add_argument(
        "--methods",
        default="scaled_path_gradient,integrated_gradients",
        help="comma-separated methods of the maps to record, the first two with all checks (default: %(default)s)",
    )


@reported
def run(options: argparse.Namespace) -> int:
    """Record until Ctrl-C or the end of --for, then the maps that are still missing; returns the exit status."""
    from glasstape.session import Recorder

    methods = [name for name in options.methods.split(",") if name]
    end = time.monotonic() + options.duration if options.duration is not None else float("inf")
    with Recorder(
        options.server, options.file, methods=methods, tls=tls_of(options), token=token_of(options)
    ) as recorder:
        try:
            while recorder.error is None and time.monotonic() < end:
                time.sleep(0.05)
            recorder.complete()
        except KeyboardInterrupt:
            pass
    parts = [f"{recorder.events} events", f"{recorder.maps} maps"]
    parts += [f"{recorder.missing} maps missing"] if recorder.missing else []
    parts += [f"connection lost: {recorder.outages}"] if recorder.outages else []
    parts += [f"ranges of events lost: {recorder.gaps}"] if recorder.gaps else []
    print(f"{options.file}: {', '.join(parts)}", file=sys.stderr)
    if recorder.error is None:
        return 0
    print(f"glasstape record: the recording is incomplete: {recorder.error}", file=sys.stderr)
    return 1
