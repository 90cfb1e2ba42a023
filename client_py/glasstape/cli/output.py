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
            _discard(stream)


def make_console(**options: Any) -> "Console":
    """Return a console of rich that leaves broken pipes to the command."""
    from rich.console import Console

    class CommandConsole(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            raise BrokenPipeError

    return CommandConsole(**options)


def _discard(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):  # a stream without a descriptor needs nothing
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
