"""Progress of long commands on standard error: a bar per task on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from glasstape.barfile.options import BarFileOptions
    from rich.progress import Progress as ProgressBars
    from rich.progress import TaskID

    from glasstape_server.market.files import BarFiles

LINE_SECONDS = 10.0
"""Shortest time between two plain lines of a task, but for its first and its last."""


class Progress:
    """Shows how far several tasks have come.

    Args:
        stream: to write to; None for standard error.
        clock: returns seconds.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._bars: ProgressBars | None = None
        if self._stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown"):
            from glasstape.cli.output import make_console
            from rich import progress

            self._bars = progress.Progress(console=make_console(file=self._stream))

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def task(
        self, name: str, unit: str, total: int | None = None, *, early: bool = False, delayed: bool = False
    ) -> "Task":
        """Begin a task.

        Args:
            name: of the task.
            unit: of its steps, in the singular.
            total: number of steps; None if it is not known yet.
            early: whether the task may end before its last step.
            delayed: whether a short task prints no line.
        """
        return Task(self._stream, self._clock, self._bars, name, unit, total, early, delayed)


def read_files(paths: Sequence[Path], interval: str, options: "BarFileOptions") -> "BarFiles":
    """Return the bars of files; show how far reading has come if it takes long.

    Raises:
        BarFileError: see `BarFiles`.
    """
    from glasstape_server.market.files import BarFiles

    if len(paths) == 1:
        return BarFiles(paths, interval, options)
    with Progress() as progress:
        task = progress.task("reading", "file", len(paths), delayed=True)
        files = BarFiles(paths, interval, options, on_file=lambda done: task.update(done, ""))
        task.finish()
    return files


class Task:
    """One task of a `Progress`."""

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float],
        bars: "ProgressBars | None",
        name: str,
        unit: str,
        total: int | None,
        early: bool,
        delayed: bool,
    ) -> None:
        self._stream, self._clock, self._bars = stream, clock, bars
        self._name, self._unit, self._total, self._early = name, unit, total, early
        self._started = clock()
        self._skipped: int | None = None
        self._done, self._text = 0, ""
        self._printed = -1
        self._next_line = self._started + (LINE_SECONDS if delayed else 0.0)
        self._quiet = delayed
        self._lock = Lock()
        self._row: TaskID | None = None
        if bars is not None:
            self._row = bars.add_task(name, total=total)

    def update(self, done: int, text: str, total: int | None = None) -> None:
        """Show that `done` steps are complete, and a text on the last one."""
        with self._lock:
            self._update(done, text, total)

    def _update(self, done: int, text: str, total: int | None) -> None:
        if self._skipped is None:  # steps of an earlier, interrupted command say nothing about the time left
            self._skipped = max(0, done - 1)
        self._done, self._text = done, text
        self._total = total or self._total
        if self._bars is not None and self._row is not None:
            shown = f"{self._name}: {text}" if text else self._name
            self._bars.update(self._row, completed=done, total=self._total, description=shown)
        elif self._clock() >= self._next_line or (done == self._total and not self._quiet):
            self._print()

    def note(self, text: str) -> None:
        """Print a text on the step in progress, if it takes long; any thread may call it."""
        with self._lock:
            if self._bars is None and self._clock() >= self._next_line:
                self._text = text
                self._print(f"{self._done} of {self._total or '?'} {self._unit}s done")

    def finish(self) -> None:
        """Show that the task has ended, before its last step, too."""
        if self._bars is not None and self._row is not None:
            steps = max(1, self._done)
            self._bars.update(self._row, completed=steps, total=steps)
        elif self._printed != self._done and self._done and not self._quiet:
            self._total = self._done
            self._print()

    def _print(self, position: str = "") -> None:
        now = self._clock()
        self._next_line, self._printed, self._quiet = now + LINE_SECONDS, self._done, False
        at_most = "at most " if self._early and self._done != self._total else ""
        steps = f"{self._unit} {self._done}" + (f" of {at_most}{self._total}" if self._total else "")
        parts = [position or steps, self._text, f"{duration(now - self._started)} elapsed"]
        fresh = self._done - (self._skipped or 0)
        if self._total and self._total > self._done and fresh:
            left = (now - self._started) / fresh * (self._total - self._done)
            parts.append(f"{at_most}{duration(left)} left")
        line = f"{self._name}: {', '.join(part for part in parts if part)}"
        print(line, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Return a duration with its largest one or two units."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
