"""F10: the clock of the server's machine jumps, forward and back, while it serves."""

import itertools
import os
import random
import time

import numpy as np
from effort import effort
from glasstape import Client
from history import Follower, check, check_journal, settled
from made_up import LONG_AGO, daily

JUMPS = effort(6, 60)
HISTORY = 80
HOUR = 3600

_SHIM = """
import time
from pathlib import Path

_offset = Path(__file__).with_name("offset")
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + float(_offset.read_text())
time.time_ns = lambda: _time_ns() + int(float(_offset.read_text()) * 1e9)
"""


class Clock:
    """What the server's processes read instead of the machine's clock."""

    def __init__(self, folder, monkeypatch):
        folder.mkdir()
        self._offset = folder / "offset"
        self.jump(0)
        (folder / "sitecustomize.py").write_text(_SHIM)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))

    def jump(self, seconds):
        draft = self._offset.with_name("draft")
        draft.write_text(str(seconds))
        draft.replace(self._offset)


def test_order_and_streams_do_not_hang_on_the_clock(tmp_path, spawn, monkeypatch):
    clock = Clock(tmp_path / "clock", monkeypatch)
    server = spawn(tmp_path / "data", loaded=False)
    chance = random.Random(10)
    bars = daily("AAA", HISTORY + 2 * JUMPS + 2, 1, LONG_AGO)
    with Client(server.address) as client:
        client.publish_bars(bars[:HISTORY], mode="backfill")
        follower = Follower(server.address, delivery="every_event", conflation_interval=0)
        follower.start()
        beats = []
        for number in range(JUMPS):
            clock.jump(chance.choice([HOUR, -HOUR, 0, chance.uniform(-HOUR, HOUR)]))
            at = HISTORY + 2 * number
            assert client.publish_bars(bars[at : at + 2]).stored == 2
            before = len(follower.heard)
            time.sleep(0.5)
            beats.append(len(follower.heard) - before)
            assert len(client.predict(windows=np.zeros((2, 6, 8), dtype=np.float32))) == 2
        journal = settled(client, 2 * JUMPS)
    follower.finish(max(journal))
    assert min(beats) >= 1, "a heartbeat of 0.2 s did not come"
    assert not follower.lost, "a stream broke"
    check_journal(journal, [("AAA", bar.close_time) for bar in bars[HISTORY : HISTORY + 2 * JUMPS]])
    check(follower, journal)

    said = [journal[sequence].publish_time for sequence in sorted(journal)]
    assert any(later < earlier for earlier, later in itertools.pairwise(said)), "no jump was seen"
    assert server.stop() == 0, "".join(server.log)
