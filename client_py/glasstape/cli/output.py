"""Standard streams that no console, encoding, full disk, closed pipe or closed descriptor breaks."""

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def prepare() -> None:
    """Open closed standard streams on the null device, and replace characters that a console cannot show."""
    # In order, each takes the lowest free descriptor: no file or socket opened later becomes a standard stream.
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
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


def finished(status: int) -> int:
    """Write what standard output still holds; return the exit status: 1 instead of 0 if that fails.

    A reader of a pipe that has exited, as with `| head`, is no failure.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        if status == 0:
            report(f"standard output: {error.strerror}")
            status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard(stream)  # so that Python's end reports nothing
    return status


def report(text: str) -> None:
    """Print an error of the command, if standard error can be written."""
    with contextlib.suppress(OSError):
        print(f"glasstape: {text}", file=sys.stderr)


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
