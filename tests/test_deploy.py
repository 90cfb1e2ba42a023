"""What is shipped beside the code is at least well-formed; nothing is built here."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from glasstape_server.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"


def _service():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "glasstape.service")
    return unit["Service"]


def _flags(words):
    return {word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}


def test_the_unit_starts_the_server_with_flags_that_it_has():
    words = _service()["ExecStart"].split()
    assert words[1] == "serve"
    assert _flags(words) - {"config"} <= set(Settings.model_fields)
    assert int(_service()["TimeoutStopSec"].rstrip("s")) > Settings.model_fields["drain_seconds"].default


def test_the_container_starts_the_server_with_flags_that_it_has():
    entry = next(line for line in (DEPLOY / "Containerfile").read_text().splitlines() if "ENTRYPOINT" in line)
    words = entry.removeprefix("ENTRYPOINT ").strip("[]").replace('"', "").split(", ")
    assert words[:2] == ["glasstape", "serve"]
    assert _flags(words) <= set(Settings.model_fields)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    text = (DEPLOY / "glasstape.service").read_text()
    unit = tmp_path / "glasstape.service"
    unit.write_text(text.replace("/opt/glasstape/bin/glasstape", "/bin/true"))  # it is not installed here
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
