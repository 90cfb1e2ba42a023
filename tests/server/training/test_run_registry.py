"""The local registry of runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from glasstape_server.training.run_record import ID_PATTERN, RunRecord
from glasstape_server.training.run_registry import RunNotFoundError, add, new_id, read_runs
from run_records import STARTED, record


def test_a_run_is_read_as_it_was_written(tmp_path):
    first, second = record(1, options={"arch": ["conv1d"], "window": None, "cost": 0.001}), record(2)
    for each in (second, first):
        assert add(tmp_path / "runs", each) == tmp_path / "runs" / f"{each.id}.json"
    assert read_runs([tmp_path / "runs"]).records == (first, second)


def test_concurrent_commands_lose_no_run_and_leave_no_draft(tmp_path):
    def one(number):
        return add(tmp_path, record(number).model_copy(update={"id": new_id(STARTED)})).name

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(one, range(64)))
    assert {path.name for path in tmp_path.iterdir()} == names
    runs = read_runs([tmp_path])
    assert len(runs.records) == len(names) == 64
    assert not runs.problems


DAMAGED = {
    "cut": (lambda text: text[: len(text) // 2], "eof"),
    "empty": (lambda text: "", "eof"),
    "other JSON": (lambda text: '{"format": 1}', "id: field required"),
    "list": (lambda text: "[]", "input should be an object"),
    "later format": (lambda text: text.replace('"format": 1', '"format": 2'), "format: input should be 1"),
    "not a number": (lambda text: text.replace("12.5", "NaN"), "duration_s: input should be a finite number"),
    "negative": (
        lambda text: text.replace("12.5", "-1"),
        "duration_s: input should be greater than or equal to 0",
    ),
    "zero bytes": (lambda text: "\0" * 100, "expected value"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files_are_named_and_skipped(tmp_path, damage):
    change, reason = DAMAGED[damage]
    path = add(tmp_path, record(1))
    add(tmp_path, record(2))
    path.write_text(change(path.read_text()))
    runs = read_runs([tmp_path])
    assert [each.id for each in runs.records] == [record(2).id]
    (problem,) = runs.problems
    assert problem.startswith(f"{path}: holds no run: ")
    assert reason in problem
    assert "\n" not in problem


def test_folders_links_and_bytes_that_are_no_text_are_skipped(tmp_path):
    add(tmp_path, record(1))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "link.json").symlink_to("absent.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".draft.json").write_text("{")
    (tmp_path / "notes.txt").write_text("mine")
    runs = read_runs([tmp_path])
    assert len(runs.records) == 1
    assert [Path(problem.partition(": ")[0]).name for problem in runs.problems] == [
        "bytes.json", "folder.json", "link.json",
    ]  # fmt: skip


def test_a_run_is_found_by_id_beginning_file_and_latest(tmp_path):
    one, other = record(1), record(2)
    path = add(tmp_path / "a", one)
    add(tmp_path / "b", other)
    runs = read_runs([tmp_path / "a", tmp_path / "b"])
    assert runs.find(one.id) == runs.find(one.id[:15]) == runs.find(str(path)) == one
    assert runs.find("latest") == other
    with pytest.raises(RunNotFoundError, match="run '2026': 2 runs begin with it"):
        runs.find("2026")
    with pytest.raises(RunNotFoundError, match="run 'x': there is none of this id"):
        runs.find("x")


def test_a_copied_run_is_listed_once(tmp_path):
    for folder in ("a", "b"):
        add(tmp_path / folder, record(1))
    assert len(read_runs([tmp_path / "a", tmp_path / "b"]).records) == 1


def test_ids_are_ordered_by_time_and_differ(tmp_path):
    ids = {new_id(STARTED) for _ in range(100)}
    assert len(ids) == 100
    assert all(each.startswith("20261129-231351-") for each in ids)
    pattern = RunRecord.model_json_schema()["properties"]["id"]["pattern"]
    assert pattern == ID_PATTERN


def test_a_file_is_json_that_other_tools_read(tmp_path):
    values = json.loads(add(tmp_path, record(1)).read_text())
    assert values["models"][0]["metrics"]["check/log_loss_gain"] == {
        "value": 0.01,
        "low": 0.006,
        "high": 0.014,
    }
    assert values["started"] == "2026-11-29T23:14:51Z"
