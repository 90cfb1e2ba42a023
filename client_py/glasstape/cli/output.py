"""Standard output and error that no console, encoding or closed pipe breaks."""

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def replace_unencodable() -> None:
    """Let characters that a console cannot show be replaced instead of ending the command."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)


def can_encode(text: str) -> bool:
    """Return whether standard output can show a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def open_closed_streams() -> None:
    """Open the null device in place of standard streams that are closed, lest a socket or file gets their number.

    What the command prints to them is discarded.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free


def flush() -> None:
    """Flush standard output.

    Raises:
        BrokenPipeError: its reader has ended.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def discard_after_broken_pipe() -> None:
    """Discard what is still to be written to streams whose reader has ended, so that Python's end reports nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            discard(stream)


def make_console(**options: Any) -> "Console":
    """Return a console of rich that leaves broken pipes to the command."""
    from rich.console import Console

    class CommandConsole(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            raise BrokenPipeError

    return CommandConsole(**options)


def discard(stream: TextIO) -> None:
    """Discard what is still to be written to a stream, and what will be."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor needs nothing
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
