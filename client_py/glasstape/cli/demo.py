"""`glasstape demo`: a server on the bundled sample market, and a view of its signals."""

import argparse
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from glasstape.cli import watch
from glasstape.cli.watch import add_duration

HELP = "start a server on the bundled sample market and watch it"

INTRODUCTION = """\
The bundled market: AAPL, GOOG, IBM, MSFT and later FB, daily bars, replayed on a simulated clock. The bundled
model was trained on 2000-2010 and validated on 2011; what you see, 2012-13, it has never seen. Do not act on it:
on daily bars an accuracy of 34-40 % over three classes is what honest models reach. Ctrl-C ends everything.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_duration(parser)
    parser.add_argument(
        "--view",
        choices=("auto", "desk", "table", "text"),
        default="auto",
        help="auto: the desktop where there is a screen and it is installed, else a table, else text",
    )
    parser.add_argument(
        "--step", type=float, default=0.5, help="seconds from bar to bar (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Serve and watch; returns the exit status."""
    view = _desk_or(options.view)
    print(INTRODUCTION, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="glasstape-demo-") as folder,
        _server(Path(folder), options.step) as address,
    ):
        if address is None:
            return 1
        try:
            if view == "desk":
                return subprocess.call(_command("desk", "--server", address, *_duration(options)))
            arguments = argparse.ArgumentParser()
            watch.add_arguments(arguments)
            return watch.run(arguments.parse_args(["--server", address, "--view", view, *_duration(options)]))
        except KeyboardInterrupt:
            return 0


def _desk_or(view: str) -> str:
    if view != "auto":
        return view
    screen = (
        sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    installed = all(importlib.util.find_spec(name) for name in ("PyQt6", "glasstape_qt"))
    return "desk" if screen and installed else "auto"


def _duration(options: argparse.Namespace) -> list[str]:
    return [] if options.duration is None else ["--for", f"{options.duration}s"]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "glasstape.cli", *arguments]


@contextlib.contextmanager
def _server(folder: Path, step: float) -> Iterator[str | None]:
    """A server process and its address; None if it did not start (it has said why)."""
    serve = _command(
        "serve", "--port", "0", "--data-dir", str(folder), "--replay", "sample", "--replay-from", "2012-01-01",
        "--replay-step", str(step), "--log-level", "warning",
    )  # fmt: skip
    # A session of its own: Ctrl-C reaches this process alone, which then ends the server in order.
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.removeprefix("serving on ").strip() or None
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
