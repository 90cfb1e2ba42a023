"""`glasstape bench desktop`: does the screen stay responsive while a whole market moves?"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glasstape import ConfidenceEvent

    from glasstape_qt.app import Parts
    from glasstape_qt.state.desk import Changes

HELP = "is the desktop's GUI thread ever blocked while events pour in? (offscreen)"
WATCH_MILLISECONDS = 5
"""Period of the watchdog; what it is late by is time in which the GUI did nothing for the trader."""
BATCHES = 20
"""A second."""
LAP = 5.0
"""Seconds of the generated session, which is played in a loop."""
BLOCKED = 0.050


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--symbols", type=int, default=3000, help="rows (default: %(default)s)")
    parser.add_argument(
        "--rate", type=int, default=20_000, help="confidence events a second (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="to measure (default: %(default)s)")
    parser.add_argument(
        "--warm-up",
        type=float,
        default=4.0,
        help="seconds before: rows, fonts and colours are made (default: 4)",
    )


def measure(options: argparse.Namespace) -> str:
    """Run it; returns a Markdown table.

    Raises:
        ValueError: an argument breaks a rule.
    """
    if not 1 <= options.symbols <= 20_000 or options.rate < BATCHES or not 1 <= options.seconds <= 3600:
        raise ValueError(f"--symbols 1-20000, --rate from {BATCHES} on, --seconds 1-3600")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "load.session"
        _write(path, options.symbols, options.rate)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        server = context.Process(target=_serve, args=(str(path), theirs))
        server.start()
        try:
            figures = _follow(ours.recv(), options.seconds, options.warm_up)
        finally:
            ours.send(None)
            server.join()
    return _table(figures, options)


@dataclass
class Figures:
    """What was seen, in seconds, counts and MiB."""

    late: list[float] = field(default_factory=list)
    drains: int = 0
    updates: int = 0
    events: int = 0
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)
    detail: float = 0.0
    rows: int = 0


def _follow(address: str, seconds: float, warm_up: float) -> Figures:
    from PyQt6.QtCore import Qt, QTimer

    from glasstape_qt.app import assemble, calm
    from glasstape_qt.quiet import quiet
    from glasstape_qt.state.preferences import Preferences, Profile

    quiet()
    profile = Profile(name="bench", address=address)
    parts = assemble(Preferences(profiles=[profile], profile="bench", theme="light", language="en"))
    parts.window.resize(1920, 1080)
    parts.window.show()
    figures, last = Figures(), [0.0]
    watchdog = QTimer(parts.window)
    watchdog.setTimerType(Qt.TimerType.PreciseTimer)

    def tick() -> None:
        now = time.perf_counter()
        if last[0]:
            figures.late.append(max(0.0, now - last[0] - WATCH_MILLISECONDS / 1000))
        last[0] = now

    def begin() -> None:
        figures.late.clear()
        figures.drains, figures.events, figures.updates = 0, -parts.desk.events, 0
        parts.link.changed.connect(updated)
        figures.seconds = -time.perf_counter()
        parts.link.drained.connect(drained)
        memory.start(1000)

    def updated(changes: "Changes") -> None:
        figures.updates += len(changes.rows)

    def drained() -> None:
        figures.drains += 1

    def end() -> None:
        figures.events += parts.desk.events
        figures.seconds += time.perf_counter()
        figures.rows = len(parts.desk.rows)
        watchdog.stop()
        memory.stop()
        figures.detail = _open_detail(parts)
        parts.window.close()

    memory = QTimer(parts.window)
    memory.timeout.connect(lambda: figures.memory.append(_resident()))
    watchdog.timeout.connect(tick)
    watchdog.start(WATCH_MILLISECONDS)
    QTimer.singleShot(round(1000 * warm_up), begin)
    QTimer.singleShot(round(1000 * (warm_up + seconds)), end)
    calm()
    parts.link.open(profile)
    parts.application.exec()
    return figures


def _open_detail(parts: "Parts") -> float:
    """Seconds from the double-click to a painted detail."""
    begin = time.perf_counter()
    view = parts.window.open_detail(parts.window.watch.model.symbols[0])
    if view is not None:
        view.grab()
    return time.perf_counter() - begin


def _table(figures: Figures, options: argparse.Namespace) -> str:
    late = sorted(figures.late)
    blocked = [value for value in late if value > BLOCKED]
    third = max(1, len(figures.memory) // 3)
    early, end = figures.memory[:third], figures.memory[-third:]
    rows = [
        ("events taken a second", f"{figures.events / figures.seconds:,.0f} (asked for: {options.rate:,})"),
        ("rows", f"{figures.rows:,}"),
        ("rows brought up to date a second", f"{figures.updates / figures.seconds:,.0f}"),
        ("drains a second", f"{figures.drains / figures.seconds:.1f}"),
        ("GUI late, median", f"{1000 * late[len(late) // 2]:.1f} ms"),
        ("GUI late, 99 %", f"{1000 * late[int(len(late) * 0.99)]:.1f} ms"),
        ("GUI late, longest", f"{1000 * late[-1]:.1f} ms"),
        (f"times late by more than {1000 * BLOCKED:.0f} ms", f"{len(blocked)} of {len(late):,}"),
        ("memory, first and last third", f"{sum(early) / third:.0f} and {sum(end) / len(end):.0f} MiB"),
        ("a detail opens in", f"{1000 * figures.detail:.0f} ms"),
    ]
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| {options.symbols:,} symbols, {figures.seconds:.0f} s | |\n|---|---|\n{lines}"


def _resident() -> float:
    """MiB now; where the system does not say, the most there has been."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            2**20 if sys.platform == "darwin" else 2**10
        )
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _serve(path: str, pipe: Any) -> None:
    from glasstape.session import SessionServer

    with SessionServer(path, loop=True) as server:
        pipe.send(server.address)
        pipe.recv()


def _write(path: Path, symbols: int, rate: int) -> None:
    from glasstape.session import write_session
    from glasstape.testing import MODEL

    write_session(path, _batches(symbols, rate), [MODEL])


def _batches(symbols: int, rate: int) -> Iterator[tuple[float, list["ConfidenceEvent"]]]:
    from glasstape.testing import make_confidence, make_confidence_event

    confidences = [make_confidence(0.2 + n / 300, 0.3 - n / 400, 0.5 - n / 1200) for n in range(60)]
    templates = [
        make_confidence_event(f"S{number:05}", confidences[number % len(confidences)])
        for number in range(symbols)
    ]
    start, sequence = datetime(2026, 1, 5, 14, 30, tzinfo=UTC), 0
    for number in range(int(LAP * BATCHES)):
        events = []
        for _ in range(rate // BATCHES):
            template = templates[sequence % symbols]
            said = confidences[(sequence * 7 + number) % len(confidences)]
            sequence += 1
            events.append(
                replace(
                    template,
                    sequence=sequence,
                    publish_time=start + timedelta(seconds=number / BATCHES),
                    signal=replace(template.signal, confidence=said),
                )
            )
        yield number / BATCHES, events
