"""Hours of mixed load leave nothing behind: `GLASSTAPE_SOAK=7200 make faults ARGS="-k soak -s"`."""

import os
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from effort import effort
from glasstape import Client
from history import Follower
from made_up import LONG_AGO, daily
from mixed import Load
from prometheus_client.parser import text_string_to_metric_families

SECONDS = float(os.environ.get("GLASSTAPE_SOAK", effort(5, 600)))
WARM_UP = 0.25
"""Share of the time after which memory may not grow any more."""
GROWTH = 0.01
"""Of resident memory in an hour. Judged where an hour or more was watched: else noise is all there is."""
SPARE = 8
"""Descriptors and threads of pools that are bounded and may not have grown to their size when the soak began:
readers of the journal (two descriptors each), callers of the native wire, grpc's event engine."""
SYMBOLS = ("AAA", "BBB", "CCC")


def _held(server, where):
    """Resident bytes, descriptors, threads, tasks of the event loop."""
    process = Path("/proc") / str(server.process.pid)
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    descriptors, threads = (len(list((process / name).iterdir())) for name in ("fd", "task"))
    with urllib.request.urlopen(f"http://{where}/metrics", timeout=30) as response:
        families = text_string_to_metric_families(response.read().decode())
        tasks = next(f.samples[0].value for f in families if f.name == "glasstape_event_loop_tasks")
    return resident, descriptors, threads, int(tasks)


def _at_base(server, where, base):
    """Wait until descriptors and threads are what they were, but for pools, and tasks exactly."""
    deadline = time.monotonic() + 30
    while True:
        held = _held(server, where)
        allowed = (base[1] + SPARE, base[2] + SPARE, base[3])
        if all(now <= most for now, most in zip(held[1:], allowed, strict=True)):
            return
        assert time.monotonic() < deadline, f"descriptors, threads, tasks: {held[1:]}, before: {base[1:]}"
        time.sleep(0.5)


@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.parametrize("wire", effort(["native"], ["grpcio", "native"]))
def test_a_server_is_after_hours_what_it_was(tmp_path, spawn, wire):
    server = spawn(tmp_path, "--wire", wire, "--metrics-port", "0", "--journal-keep", "5000")
    where = server.process.stdout.readline().removeprefix("metrics on ").strip()
    series = [daily(symbol, 14_000, seed, LONG_AGO) for seed, symbol in enumerate(SYMBOLS)]
    with Client(server.address) as client:
        # What is kept of days is full from the beginning.
        client.publish_bars(daily("HISTORY", 5_000, 9, LONG_AGO), mode="backfill")
        for bars in series:
            client.publish_bars(bars[:100], mode="backfill")
    batches = iter([list(row) for row in zip(*(bars[100:] for bars in series), strict=True)])

    others = [iter([[bar] for bar in daily(f"REHEARSAL{n}", 400, n, LONG_AGO)]) for n in range(4)]
    crowd = [Load(server.address, bars) for bars in others]  # pools grow to their size
    for load in crowd:
        load.start()
    time.sleep(effort(3, 6))
    for load in crowd:
        load.stop()
    time.sleep(effort(1, 3))
    base = _held(server, where)

    load = Load(server.address, batches)
    follower = Follower(server.address, start="live", delivery="every_event", conflation_interval=0)
    follower.start()
    load.start()
    begun, samples = time.monotonic(), []
    while (now := time.monotonic() - begun) < SECONDS:
        samples.append((now, *_held(server, where)))
        time.sleep(min(20.0, SECONDS / 20))
    load.stop()
    with Client(server.address) as client:
        head = max(event.sequence for event in client.history())
    follower.finish(head)

    assert not load.errors, load.errors[:3]
    assert min(load.done.values()) >= SECONDS / 20, f"invalid run: {load.done}"
    sequences = [event.sequence for event in follower.events]
    # Bars that were in flight when the load stopped may be signaled after the head was read.
    assert sequences == list(range(sequences[0], sequences[-1] + 1))
    assert sequences[-1] >= head
    _judge(np.array(samples), wire, load.done, Path(os.environ.get("GLASSTAPE_SOAK_SAMPLES", os.devnull)))
    _at_base(server, where, base)
    assert server.stop() == 0, "".join(server.log)


def _judge(samples, wire, done, keep):
    with keep.open("ab") as file:
        np.savetxt(file, samples, fmt="%.0f", header=f"{wire}: seconds, bytes, descriptors, threads, tasks")
    warm = samples[samples[:, 0] > WARM_UP * SECONDS]
    slope, _ = np.polyfit(warm[:, 0] / 3600, warm[:, 1], 1)
    growth = slope / warm[:, 1].mean()
    print(
        f"\n{wire}: {SECONDS:.0f} s, {warm[:, 1].mean() / 2**20:.0f} MiB, {100 * growth:+.2f} %/h, done: {done}"
    )
    if (1 - WARM_UP) * SECONDS >= 3600:
        assert growth <= GROWTH, f"resident memory grows by {100 * growth:.2f} % in an hour"
    else:
        assert warm[-1, 1] - warm[0, 1] < 64 * 2**20
