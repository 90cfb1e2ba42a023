"""Every Python example of README, docs and the SDK's own pages passes mypy --strict and pyright."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import glasstape
import glasstape.session
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```(?:python|py)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CACHE = ROOT / ".mypy_cache" / "examples"
MODULES = (glasstape, glasstape.session)
NARROWING = """
from typing import assert_type

from glasstape import BuyEvent, Client, ConfidenceEvent, Event, EventKind, OutcomeEvent


def by_kind(event: Event) -> float:
    if event.kind is EventKind.OUTCOME:
        assert_type(event, OutcomeEvent)
        return event.realized_return
    assert_type(event, ConfidenceEvent | BuyEvent)
    return event.signal.probabilities.up


def by_class(event: Event) -> int:
    match event:
        case BuyEvent() | OutcomeEvent():
            return event.confidence_sequence
        case ConfidenceEvent():
            return event.sequence


with Client("localhost:50551") as client:
    for event in client.history():
        assert_type(event, Event)
        row = event.row()
        if event.kind == EventKind.BUY:
            assert_type(event, BuyEvent)
"""
UNCHECKED = """
from glasstape import Client

with Client("localhost:50551") as client:
    for event in client.signals(kinds=["buy"]):
        print(event.signal)
"""


def examples():
    """Return the source of every example, by the name of a file to write it to."""
    found = {}
    for page in PAGES:
        for number, text in enumerate(FENCED.findall(page.read_text())):
            found[f"{page.stem.lower()}_{number}.py"] = text
    for module in MODULES:
        blocks = re.findall(r"(?:^    .*\n|^\n)+", module.__doc__ or "", re.MULTILINE)
        code = "\n".join(textwrap.dedent(block) for block in blocks)
        found[f"module_{module.__name__.replace('.', '_')}.py"] = code
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("examples")
    for name, text in {**EXAMPLES, "narrowing.py": NARROWING}.items():
        (made / name).write_text(text)
    return made


def mypy(folder):
    return [sys.executable, "-m", "mypy", "--strict", "--cache-dir", CACHE, *folder.glob("*.py")]


def pyright(folder):
    return [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *folder.glob("*.py")]


def checked(checker, folder):
    """Return exit status and output of a type checker over a folder of programs."""
    if checker is pyright:
        pytest.importorskip("pyright", reason="pyright, of the extra dev, is not installed")
    command = checker(folder)
    env = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_examples_are_found():
    assert {"readme_0.py", "readme_2.py", "module_glasstape.py", "module_glasstape_session.py"} <= set(
        EXAMPLES
    )
    assert sum("glasstape" in text for text in EXAMPLES.values()) > 10


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_the_examples_pass(checker, folder):
    status, output = checked(checker, folder)
    assert status == 0, output


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_an_event_whose_kind_is_not_checked_fails(checker, tmp_path):
    (tmp_path / "unchecked.py").write_text(UNCHECKED)
    status, output = checked(checker, tmp_path)
    assert status == 1
    assert '"signal"' in output
    assert "OutcomeEvent" in output
