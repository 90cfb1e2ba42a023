import json

import pytest
from glasstape_server.access.audit import AuditLog, verify


@pytest.fixture
def path(tmp_path):
    log = AuditLog(tmp_path / "audit.log")
    for number in range(5):
        log.note("admitted", method="/x", who=f"desk {number}")
    log.close()
    return tmp_path / "audit.log"


def test_lines_are_json_and_go_on_after_a_restart(path):
    log = AuditLog(path)
    log.note("refused", method="/y", reason="TOKEN_UNKNOWN")
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
    ids=["removed", "changed", "swapped", "beheaded", "doubled"],
)
def test_what_was_done_to_it_is_found(path, change):
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    assert len(list(verify(path))) == 1


def test_a_torn_line_of_a_power_cut_is_told_and_does_not_swallow_the_next(path):
    with path.open("a") as file:
        file.write("12ab {torn")
    log = AuditLog(path)
    log.note("admitted", method="/z")
    log.close()
    assert json.loads(path.read_text().splitlines()[-1].partition(" ")[2])["method"] == "/z"
    assert "line 6" in next(verify(path))
