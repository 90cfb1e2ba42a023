"""Benchmarks are never timed here: only whether they run."""

import json
import shutil
import subprocess
import sys

import pytest
from glasstape.cli import main


def test_the_engine_is_measured_beside_the_products_alone(tmp_path, capsys):
    found = tmp_path / "engine.json"
    assert main(["bench", "engine", "--quick", "--json", str(found)]) == 0
    table = capsys.readouterr().out
    assert "| what | median (range) | by eager | by products alone | by predict |" in table
    figures = {figure["what"]: figure for figure in json.loads(found.read_text())["figures"]}
    assert figures["conv1d, 64: map"]["values"][0] > 0


def test_the_sdk_reads_every_event_it_is_sent(capsys):
    assert main(["bench", "sdk", "--quick"]) == 0
    assert "events read: Client" in capsys.readouterr().out


def test_a_gpus_check_runs_where_there_is_none_on_the_cpu(capsys):
    assert main(["bench", "gpu", "--device", "cpu", "--quick"]) == 0
    table = capsys.readouterr().out
    assert "conv1d equals the CPU within" in table
    assert "On the CPU, uncaptured" in table


def test_a_gpus_check_needs_only_torch_numpy_and_safetensors():
    allowed = (
        "import sys; sys.modules.update(dict.fromkeys(('grpc', 'pydantic', 'google.protobuf', 'glasstape')))"
    )
    made = subprocess.run(
        [sys.executable, "-c", f"{allowed}; import glasstape_server.bench.gpu"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr


def test_messages_are_as_small_as_their_budgets(tmp_path):
    found = tmp_path / "bytes.json"
    assert main(["bench", "bytes", "--quick", "--json", str(found)]) == 0
    sizes = {figure["what"]: figure["values"][0] for figure in json.loads(found.read_text())["figures"]}
    assert sizes["event, mean"] <= 170
    assert sizes["explanation in the feed"] <= 350
    assert sizes["prediction of a window"] <= 50


def test_the_feed_is_measured_to_many_subscribers(capsys):
    assert main(["bench", "feed", "--quick"]) == 0
    assert "closes back to back: events delivered" in capsys.readouterr().out


def test_readers_are_measured_beside_one_that_never_reads(capsys):
    assert main(["bench", "stuck", "--quick"]) == 0
    assert "the same beside a reader that never reads" in capsys.readouterr().out


def test_calls_are_measured_beside_an_echo(capsys):
    if shutil.which("h2load") is None:
        pytest.skip("h2load, of nghttp2, is not installed")
    assert main(["bench", "predict", "--quick"]) == 0
    assert "1 window, 64 in flight, calls: grpcio" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["engine", "--networks", "lstm"], "networks: must be of"),
        (["gpu", "--device", "tpu"], "device: must be"),
        (["engine", "--json", "/nowhere/x.json"], "--json: there is no folder /nowhere"),
    ],
)
def test_what_cannot_be_measured_is_told(arguments, text, capsys):
    assert main(["bench", *arguments]) == 1
    assert text in capsys.readouterr().err
