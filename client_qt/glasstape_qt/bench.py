"""`glasstape bench desktop`: responsiveness of the desktop's GUI thread under load."""

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

    from glasstape_qt.app import DesktopComponents
    from glasstape_qt.state.store_changes import StoreChanges

HELP = "responsiveness of the desktop's GUI thread under load (offscreen)"
WATCHDOG_INTERVAL_MS = 5
"""Period of the watchdog timer; its delay is the time in which the GUI thread was blocked."""
BATCHES_PER_SECOND = 20
SESSION_LENGTH = 5.0
"""Seconds of the generated session, which is played in a loop."""
BLOCKED_S = 0.050
"""Delay from which the GUI counts as blocked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--symbols", type=int, default=3000, help="number of rows (default: %(default)s)")
    parser.add_argument(
        "--rate", type=int, default=20_000, help="confidence events per second (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="duration (default: %(default)s)")
    parser.add_argument(
        "--warm-up",
        type=float,
        default=4.0,
        help="seconds before the measurement: rows, fonts and colors are loaded (default: 4)",
    )


def measure(options: argparse.Namespace) -> str:
    """Run the benchmark; return a Markdown table.

    Raises:
        ValueError: an option is out of range.
    """
    in_range = 1 <= options.symbols <= 20_000 and 1 <= options.seconds <= 3600
    if not in_range or options.rate < BATCHES_PER_SECOND:
        raise ValueError(f"--symbols 1-20000, --rate at least {BATCHES_PER_SECOND}, --seconds 1-3600")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "load.session"
        _write_session(path, options.symbols, options.rate)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        server = context.Process(target=_serve, args=(str(path), theirs))
        server.start()
        try:
            stats = _run_desktop(ours.recv(), options.seconds, options.warm_up)
        finally:
            ours.send(None)
            server.join()
    return _table(stats, options)


@dataclass
class ResponsivenessStats:
    """Measurements, in seconds, counts and MiB."""

    delays: list[float] = field(default_factory=list)
    """Delay of each watchdog tick."""
    drains: int = 0
    updates: int = 0
    events: int = 0
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)
    """Resident memory, once a second and at the end."""
    detail: float = 0.0
    """Time to open and paint a detail."""
    rows: int = 0


def _run_desktop(address: str, seconds: float, warm_up: float) -> ResponsivenessStats:
    from PyQt6.QtCore import Qt, QTimer

    from glasstape_qt.app import assemble, tune_interpreter
    from glasstape_qt.offscreen import suppress_plugin_warnings
    from glasstape_qt.state.preferences import Preferences, Profile

    suppress_plugin_warnings()
    profile = Profile(name="bench", address=address)
    desktop = assemble(Preferences(profiles=[profile], profile="bench", theme="light", language="en"))
    desktop.window.resize(1920, 1080)
    desktop.window.show()
    stats, last_tick = ResponsivenessStats(), [0.0]
    watchdog = QTimer(desktop.window)
    watchdog.setTimerType(Qt.TimerType.PreciseTimer)

    def tick() -> None:
        now = time.perf_counter()
        if last_tick[0]:
            stats.delays.append(max(0.0, now - last_tick[0] - WATCHDOG_INTERVAL_MS / 1000))
        last_tick[0] = now

    def begin() -> None:
        stats.delays.clear()
        stats.drains, stats.events, stats.updates = 0, -desktop.store.event_count, 0
        desktop.link.changed.connect(count_updates)
        stats.seconds = -time.perf_counter()
        desktop.link.drained.connect(count_drains)
        memory.start(1000)

    def count_updates(changes: "StoreChanges") -> None:
        stats.updates += len(changes.rows)

    def count_drains() -> None:
        stats.drains += 1

    def end() -> None:
        stats.events += desktop.store.event_count
        stats.seconds += time.perf_counter()
        stats.rows = len(desktop.store.rows)
        watchdog.stop()
        memory.stop()
        stats.memory.append(_resident_memory())
        stats.detail = _time_detail(desktop)
        desktop.window.close()

    memory = QTimer(desktop.window)
    memory.timeout.connect(lambda: stats.memory.append(_resident_memory()))
    watchdog.timeout.connect(tick)
    watchdog.start(WATCHDOG_INTERVAL_MS)
    QTimer.singleShot(round(1000 * warm_up), begin)
    QTimer.singleShot(round(1000 * (warm_up + seconds)), end)
    tune_interpreter()
    desktop.link.open(profile)
    desktop.application.exec()
    return stats


def _time_detail(desktop: "DesktopComponents") -> float:
    """Return the seconds from a double-click to a painted detail."""
    begin = time.perf_counter()
    view = desktop.window.open_detail(desktop.window.watch.model.symbols[0])
    if view is not None:
        view.grab()
    return time.perf_counter() - begin


def _table(stats: ResponsivenessStats, options: argparse.Namespace) -> str:
    delays = sorted(stats.delays)
    blocked = [value for value in delays if value > BLOCKED_S]
    third = max(1, len(stats.memory) // 3)
    early, late = stats.memory[:third], stats.memory[-third:]
    rows = [
        ("events received per second", f"{stats.events / stats.seconds:,.0f} (target: {options.rate:,})"),
        ("rows", f"{stats.rows:,}"),
        ("row updates per second", f"{stats.updates / stats.seconds:,.0f}"),
        ("drains per second", f"{stats.drains / stats.seconds:.1f}"),
        ("GUI blocked, median", f"{1000 * delays[len(delays) // 2]:.1f} ms"),
        ("GUI blocked, p99", f"{1000 * delays[int(len(delays) * 0.99)]:.1f} ms"),
        ("GUI blocked, longest", f"{1000 * delays[-1]:.1f} ms"),
        (f"GUI blocked for more than {1000 * BLOCKED_S:.0f} ms", f"{len(blocked)} of {len(delays):,}"),
        ("memory, first and last third", f"{sum(early) / third:.0f} and {sum(late) / len(late):.0f} MiB"),
        ("time to open a detail", f"{1000 * stats.detail:.0f} ms"),
    ]
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| {options.symbols:,} symbols, {stats.seconds:.0f} s | |\n|---|---|\n{lines}"


def _resident_memory() -> float:
    """Return the resident memory in MiB; without /proc, its maximum so far."""
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


def _write_session(path: Path, symbols: int, rate: int) -> None:
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
    for number in range(int(SESSION_LENGTH * BATCHES_PER_SECOND)):
        events = []
        for _ in range(rate // BATCHES_PER_SECOND):
            template = templates[sequence % symbols]
            confidence = confidences[(sequence * 7 + number) % len(confidences)]
            sequence += 1
            events.append(
                replace(
                    template,
                    sequence=sequence,
                    publish_time=start + timedelta(seconds=number / BATCHES_PER_SECOND),
                    signal=replace(template.signal, probabilities=confidence),
                )
            )
        yield number / BATCHES_PER_SECOND, events
