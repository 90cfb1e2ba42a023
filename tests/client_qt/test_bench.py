from argparse import Namespace

import pytest
from glasstape_qt import bench


def test_a_small_load_is_measured_whole(capfd):
    table = bench.measure(Namespace(symbols=50, rate=400, seconds=1.5, warm_up=1.0))
    rows = dict(line.strip("| ").split(" | ") for line in table.splitlines()[2:])
    received = float(rows["events received per second"].split()[0].replace(",", ""))
    assert 150 < received < 800
    assert rows["rows"] == "50"
    assert float(rows["drains per second"]) > 5
    assert rows["time to open a detail"].endswith("ms")


def test_wrong_loads_are_refused():
    with pytest.raises(ValueError, match="--symbols 1-20000"):
        bench.measure(Namespace(symbols=0, rate=400, seconds=2.0, warm_up=0.0))
