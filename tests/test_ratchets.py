"""The checks whose findings may only become fewer."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import ratchet

CI = Path(__file__).parents[1] / ".ci"
KINDS = runpy.run_path(str(CI / "words"))["kinds"]


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Runs a check of counts that a test sets, in a repository of its own."""
    (tmp_path / ".ci").mkdir()

    def run(counts, *arguments):
        monkeypatch.setattr(sys, "argv", ["x", *arguments])
        return ratchet.run("words", lambda: counts, lambda file, kind: [f"{file}: {kind}"], tmp_path)

    run.baseline = tmp_path / ".ci/words.json"
    return run


def test_findings_above_the_baseline_fail_and_are_shown(check, capsys):
    assert check({"a.py": {"door": 1}}, "--update") == 0
    assert check({"a.py": {"door": 1}}) == 0
    assert check({"a.py": {"door": 2}, "b.py": {"room": 1}}) == 1
    assert capsys.readouterr().out.splitlines() == ["a.py: door", "b.py: room"]


def test_fewer_findings_pass_and_the_baseline_can_shrink(check, capsys):
    check({"a.py": {"door": 2}}, "--update")
    assert check({}) == 0
    assert "2 findings fewer than allowed" in capsys.readouterr().out
    assert check({}, "--update") == 0
    assert json.loads(check.baseline.read_text()) == {}


def test_the_baseline_follows_a_moved_file_and_never_grows(check, capsys):
    check({"a.py": {"door": 2}}, "--update")
    assert check({"b.py": {"door": 2}}, "--update") == 0
    assert check({"b.py": {"door": 3}}, "--update") == 1
    assert check({"b.py": {"door": 1, "room": 1}}, "--update") == 1
    assert json.loads(check.baseline.read_text()) == {"b.py": {"door": 2}}
    assert "not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Nobody waits", "nobody, somebody, anybody, whoever"),
        ("a door is a target", "door"),
        ("self.trouble = 1", "trouble"),
        ("colour_of(x), neighbours", "-our"),
        ("normalisation", "-ise"),
        ("the call was cancelled", "-lled"),
        ("journalled", "-lled"),
        ("the centre of", "-re"),
    ],
)
def test_replaced_words_are_found(text, kind):
    assert kind in KINDS(text)


@pytest.mark.parametrize(
    "text",
    [
        "task.cancelled()",
        "asyncio.CancelledError",
        "CANCELLED = 1",
        "wise, precise",
        "grep -hE",
        "four",
        "realistic",
    ],
)
def test_other_words_are_not(text):
    assert not KINDS(text)
