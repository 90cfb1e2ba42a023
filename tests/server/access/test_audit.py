import json

import pytest
from full_disk import file_size_limit
from glasstape_server.access.audit import AuditLog, audit_files, verify


@pytest.fixture
def path(tmp_path):
    log = AuditLog(tmp_path / "audit.log")
    for number in range(5):
        log.record("admitted", method="/x", who=f"desk {number}")
    log.close()
    return tmp_path / "audit.log"


def test_records_are_json_and_continue_after_a_restart(path):
    log = AuditLog(path)
    log.record("refused", method="/y", reason="TOKEN_UNKNOWN")
    log.close()
    assert list(verify(path)) == []
    last = json.loads(path.read_text().splitlines()[-1].partition(" ")[2])
    assert (last["event"], last["reason"]) == ("refused", "TOKEN_UNKNOWN")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [*lines[:2], lines[2].replace("desk 2", "desk 9"), *lines[3:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: lines[1:],
        lambda lines: [*lines[:3], lines[2], *lines[3:]],
    ],
    ids=["removed", "modified", "swapped", "first removed", "duplicated"],
)
def test_verify_reports_damage_and_gaps(path, change):
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    errors = list(verify(path))
    assert errors
    assert all("is damaged, or a line before it is missing" in text for text in errors)


def test_verify_reports_each_modified_line(path):
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("desk 1", "desk 7")
    lines[3] = lines[3].replace("desk 3", "desk 8")
    path.write_text("\n".join(lines) + "\n")
    assert [text.split(": ")[1].split(" is damaged")[0] for text in verify(path)] == ["line 2", "line 4"]


@pytest.mark.parametrize("space", [0, 20])
def test_records_lost_to_a_full_disk_are_counted(path, space):
    log = AuditLog(path)
    with file_size_limit(path.stat().st_size + space):  # nothing fits, or half a line does
        for _ in range(3):
            log.record("admitted", method="/lost")
        assert "the audit log cannot be written" in log.last_error
        log.retry()
        assert log.last_error
    log.retry()
    assert not log.last_error
    log.record("admitted", method="/z")
    log.close()
    assert list(verify(path)) == []
    rows = [json.loads(line.partition(" ")[2]) for line in path.read_text().splitlines()]
    assert [row["event"] for row in rows[5:]] == ["lost", "admitted"]
    assert rows[5]["lines"] == 3


def test_a_full_file_is_rotated_and_the_oldest_removed(tmp_path):
    path = tmp_path / "audit.log"
    for number in range(40):
        log = AuditLog(path, keep=3, max_file_bytes=500)  # reopened: the chain continues across restarts
        log.record("admitted", method="/x", who=f"desk {number}")
        log.close()
    files = audit_files(path)
    assert [file.name for file in files] == ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert list(verify(path)) == []
    rows = [json.loads(line.partition(" ")[2]) for file in files for line in file.read_text().splitlines()]
    assert sum(row["event"] == "continued" for row in rows) == 4
    kept = sorted(int(row["who"].split()[1]) for row in rows if row["event"] == "admitted")
    assert kept == list(range(kept[0], 40))
    lines = files[1].read_text().splitlines(keepends=True)
    files[1].write_text("".join(lines[:-1]))
    assert "audit.log: line 1" in next(verify(path))


def test_a_torn_line_is_reported_and_later_records_are_kept(path):
    with path.open("a") as file:
        file.write("12ab {torn")
    log = AuditLog(path)
    log.record("admitted", method="/z")
    log.close()
    assert json.loads(path.read_text().splitlines()[-1].partition(" ")[2])["method"] == "/z"
    assert "line 6" in next(verify(path))
