"""Benchmarks run and report plausible values. They are not timed here."""

import json
import math
import shutil
import subprocess
import sys

import pytest
from effort import LONG
from glasstape.cli import main

IN_LONG_FORM = pytest.mark.skipif(not LONG, reason="takes seconds; part of `make faults`")


@pytest.fixture
def measure(tmp_path, capsys):
    """Run a benchmark briefly; return its values by label, after comparing them with the printed table."""

    def run(*arguments):
        path = tmp_path / "measurements.json"
        assert main(["bench", *arguments, "--quick", "--json", str(path)]) == 0
        measurements = json.loads(path.read_text())["measurements"]
        rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
        assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [m["label"] for m in measurements]
        values = {m["label"]: m["values"] for m in measurements}
        assert all(math.isfinite(value) for each in values.values() for value in each)
        return values, {m["label"]: m["ratios"] for m in measurements}

    return run


def test_engine_is_measured_relative_to_its_matrix_products(measure):
    values, ratios = measure("engine")
    for batch in (1, 8, 64):
        (seconds,), (products,) = (
            values[f"conv1d, {batch}: {kind}"] for kind in ("map", "matrix products, forward and backward")
        )
        assert ratios[f"conv1d, {batch}: map"]["matrix products"] == [pytest.approx(seconds / products)]
        assert seconds > 0


def test_trees_are_measured_beside_conv1d(measure):
    values, ratios = measure("trees", "--threads", "1")
    assert {"lightgbm: fit, 100 rounds", "trees: fit, 100 rounds"} < set(values)
    for batch in (1, 64):
        for kind in ("predict", "map"):
            speed, (reference,) = values[f"lightgbm, {batch}: {kind}"], values[f"conv1d, {batch}: {kind}"]
            assert ratios[f"lightgbm, {batch}: {kind}"]["conv1d"] == [pytest.approx(speed[0] / reference)]


def test_sdk_reads_every_event(measure):
    values, _ = measure("sdk")
    assert set(values) == {
        "events read: Client",
        "events read: Client, columns",
        "events read: Client, fields read",
        "events read: AsyncClient",
        "events read: grpc.aio, parsed",
    }
    assert all(rate > 0 for each in values.values() for rate in each)


def test_gpu_checks_and_measures_on_the_cpu_without_a_gpu(measure):
    values, _ = measure("gpu", "--device", "cpu")
    assert values["conv1d, 1: predict"][0] > 0
    assert values["conv1d, 5,000 in bulk, from pageable memory"][0] > 0


def test_gpu_needs_only_torch_numpy_and_safetensors():
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(('grpc', 'pydantic', 'google.protobuf', 'glasstape')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}; import glasstape_server.bench.gpu"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_messages_are_within_their_budgets(measure):
    values, _ = measure("bytes")
    assert values["event, mean"][0] <= 170
    assert values["explanation in the feed"][0] <= 350
    assert values["prediction of a window"][0] <= 50


@IN_LONG_FORM
def test_feed_delivers_to_all_subscribers(measure):
    values, _ = measure("feed")
    assert values["closes back to back: events delivered"][0] > 0
    assert values["one close per second: last acknowledgment to last subscriber"][0] >= 0


def test_burst_measures_every_stage(measure):
    values, _ = measure("burst")
    (durable,), (last,), (total,) = values.values()
    assert durable > 0
    assert last > 0
    assert total == pytest.approx(durable + last)


@IN_LONG_FORM
def test_stuck_measures_other_subscribers_with_and_without_a_stalled_one(measure):
    values, ratios = measure("stuck")
    without, stalled = (
        values[f"p99 of delivery, {key} a stalled subscriber"][0] for key in ("without", "with")
    )
    assert ratios["p99 of delivery, with a stalled subscriber"]["without"] == [
        pytest.approx(stalled / without)
    ]


@IN_LONG_FORM
def test_predict_is_measured_relative_to_an_echo(measure):
    if shutil.which("h2load") is None:
        pytest.skip("h2load, of nghttp2, is not installed")
    values, ratios = measure("predict")
    assert values["1 window, 64 in flight, calls: grpcio"][0] > 0
    assert ratios["1 window, 64 in flight, calls: grpcio"]["echo"][0] > 0


def test_truth_writes_its_report_and_a_record_of_each_map(tmp_path, capsys):
    arguments = [
        "--networks",
        "bayes",
        "--kinds",
        "fixed",
        "--seeds",
        "1",
        "--test",
        "30",
        "--processes",
        "1",
    ]
    outputs = ["--out", str(tmp_path / "truth"), "--maps", str(tmp_path / "maps.jsonl")]
    assert main(["bench", "truth", *arguments, *outputs]) == 0
    printed = capsys.readouterr()
    assert "### bayes, 6 × 8, 1 seed(s)" in printed.out
    assert "bayes, fixed, 6x8, seed 0: accuracy " in printed.err
    assert (tmp_path / "truth.md").read_text() in printed.out
    (result,) = json.loads((tmp_path / "truth.json").read_text())
    records = [json.loads(line) for line in (tmp_path / "maps.jsonl").read_text().splitlines()]
    assert len(records) == result["maps"]
    gradient = [
        record["precision"]
        for record in records
        if (record["method"], record["score"]) == ("GRADIENT", "MARGIN")
    ]
    (score,) = (s for s in result["scores"] if (s["method"], s["score"]) == ("GRADIENT", "MARGIN"))
    assert sum(gradient) / len(gradient) == pytest.approx(score["precision"], rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["engine", "--networks", "lstm"], "networks: must be of"),
        (["gpu", "--device", "tpu"], "device: must be"),
        (["engine", "--json", "/nowhere/x.json"], "--json: folder /nowhere does not exist"),
        (["truth", "--out", "/nowhere/x"], "--out: folder /nowhere does not exist"),
        (["truth", "--maps", "maps.csv"], "--maps: must end with .jsonl or .parquet, is maps.csv"),
        (["truth", "--pairs", "gradient/magic"], "pairs: must be of"),
    ],
)
def test_invalid_options_are_rejected(arguments, text, capsys):
    assert main(["bench", *arguments]) == 1
    assert text in capsys.readouterr().err
