"""`glasstape demo`: start a server on the bundled sample market and show its signals."""

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

from glasstape.cli.connect import reported
from glasstape.cli.watch import add_duration, show

HELP = "start a server on the bundled sample market and show its signals"

STOP_TIMEOUT_S = 15.0
"""Seconds within which desktop and server end in order."""
INTRODUCTION = """\
The bundled market: AAPL, GOOG, IBM, MSFT and later FB, daily bars, replayed on a simulated clock. The bundled
model was trained on 2000-2010 and validated on 2011; the replay shows 2012-13, which it has never seen. Do not act
on it: on daily bars, expect a three-class accuracy of 34-40 %. Ctrl-C stops the demo.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_duration(parser)
    parser.add_argument(
        "--view",
        choices=("auto", "desk", "table", "text"),
        default="auto",
        help="output: desk, table, text, or auto: the desktop if it is installed and there is a screen, else as in "
        "`glasstape watch` (default: auto)",
    )
    parser.add_argument(
        "--step", type=float, default=0.5, help="seconds from bar to bar (default: %(default)s)"
    )


@reported
def run(options: argparse.Namespace) -> int:
    """Serve and show; returns the exit status."""
    from glasstape import Client

    _check_temporary_files()
    view = _view(options.view)
    print(INTRODUCTION, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="glasstape-demo-") as folder,
        _server(Path(folder), options.step) as address,
    ):
        if address is None:
            return 1
        try:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: end what was started
            if view == "desk":
                return _run_desktop(_command("desk", "--once", "--server", address, *_duration(options)))
            with Client(address) as client:
                show(client, view, options.duration)
            return 0
        except KeyboardInterrupt:
            return 0


def _run_desktop(command: list[str]) -> int:
    """Run the desktop until its window is closed; return its exit status.

    Raises:
        KeyboardInterrupt: this process was interrupted; the desktop has been asked to end.
    """
    with subprocess.Popen(command) as desktop:
        try:
            return desktop.wait()
        except KeyboardInterrupt:
            desktop.terminate()
            desktop.wait(timeout=STOP_TIMEOUT_S)
            raise


def _check_temporary_files() -> None:
    """Check that the server's data has a place.

    Raises:
        ValueError: no folder for temporary files is writable.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise ValueError("temporary files: no folder is writable; set TMPDIR to one that is") from None


def _view(view: str) -> str:
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
    """Yield the address of a server process; None if it did not start (its error is on standard error)."""
    serve = _command(
        "serve", "--port", "0", "--data-dir", str(folder), "--replay", "sample", "--replay-from", "2012-01-01",
        "--replay-step", str(step), "--log-level", "warning",
    )  # fmt: skip
    # In a new session, Ctrl-C reaches only this process, which then stops the server in order.
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.removeprefix("serving on ").strip() or None
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
