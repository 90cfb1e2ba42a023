"""A file is replaced whole or not at all, whenever its writer dies."""

import os
import subprocess
import sys

import pytest
from glasstape_server.storage import files

CRASHES = """
import os, sys
from pathlib import Path
from glasstape_server.storage import files

path, steps, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
seen = 0

def crash(event, arguments):
    global seen
    writes = event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")
    if writes and str(path.parent) in str(arguments[0]):
        seen += 1
        if seen > steps:
            os._exit(9)

sys.addaudithook(crash)
if kind == "file":
    files.write(path, b"new" * 100_000)
else:
    with files.creating(path) as draft:
        (draft / "a").write_bytes(b"new" * 100_000)
        (draft / "b").write_bytes(b"new")
"""
"""Writes, and dies at the n-th call that touches the folder."""


def crash(path, steps, kind):
    """Whether the writer died."""
    done = subprocess.run([sys.executable, "-c", CRASHES, str(path), str(steps), kind], check=False)
    assert done.returncode in (0, 9)
    return done.returncode == 9


def test_a_writer_that_dies_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path):
    path, seen, steps = tmp_path / "file", set(), 0
    while True:
        path.write_bytes(b"old")
        died = crash(path, steps, "file")
        content = path.read_bytes()
        assert content in (b"old", b"new" * 100_000)
        seen.add((died, content == b"old"))
        if not died:
            break
        steps += 1
    assert steps >= 4
    assert seen == {(True, True), (True, False), (False, False)}
    files.write(path, "again")
    assert [p.name for p in tmp_path.iterdir()] == ["file"], "drafts of ended writers are removed"


def test_a_writer_that_dies_at_any_step_leaves_no_folder_or_all_of_it(tmp_path):
    steps, seen = 0, set()
    while True:
        path = tmp_path / f"{steps}" / "folder"
        path.parent.mkdir()
        died = crash(path, steps, "folder")
        names = sorted(p.name for p in path.iterdir()) if path.exists() else []
        assert names in ([], ["a", "b"])
        seen.add((died, bool(names)))
        if not died:
            break
        if not names:
            with files.creating(path) as draft:
                (draft / "a").touch()
        assert [p.name for p in path.parent.iterdir()] == ["folder"]
        steps += 1
    assert seen == {(True, False), (True, True), (False, True)}


def test_a_block_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError), files.replacing(path) as draft:
        draft.write_text("half") + "and no more"
    with pytest.raises(FileExistsError), files.creating(tmp_path / "folder") as draft:
        draft.mkdir()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_mode_is_that_of_the_purpose_from_the_first_moment(tmp_path):
    path = tmp_path / "file"
    path.touch(0o666)
    before = os.umask(0o022)
    try:
        with files.replacing(path, mode=files.PRIVATE) as draft:
            assert draft.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_mode & 0o777 == 0o600
        files.write(path, "public")
        assert path.stat().st_mode & 0o777 == 0o644
        os.umask(0o077)
        files.write(path, "public to those whom the umask lets")
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_replaced_file_keeps_its_owner(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.chown(path, 1234, 2345)
    files.write(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_drafts_of_a_running_writer_and_of_other_files_are_left_alone(tmp_path):
    path, other = tmp_path / "file", tmp_path / "file.b"
    with files.replacing(path) as first, files.replacing(other) as second:
        files.write(path, "between")
        assert first.exists()
        assert second.exists()
        first.write_text("last")
    assert path.read_text() == "last"


def test_a_folder_is_not_created_over_another(tmp_path):
    with pytest.raises(FileExistsError, match="exists already"), files.creating(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(
    ("owner", "mode", "accepted"),
    [
        (1234, 0o600, True), (1234, 0o400, True), (1234, 0o640, False), (1234, 0o604, False), (1234, 0o620, False),
        (0, 0o600, True), (0, 0o440, True), (0, 0o640, True), (0, 0o644, False), (0, 0o660, False), (0, 0o450, False),
        (4321, 0o600, False), (4321, 0o440, False),
    ],
)  # fmt: skip
def test_secrets_are_accepted_by_the_rule_of_postgresql(tmp_path, monkeypatch, owner, mode, accepted):
    path = tmp_path / "key"
    path.touch()
    path.chmod(mode)
    os.chown(path, owner, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    if accepted:
        files.check_secret(path)
        return
    with pytest.raises(
        ValueError, match=r"^tls_key: .*key: (has mode 0\d{3}, others may|is owned by user 4321)"
    ):
        files.check_secret(path, "tls_key: ")


def test_only_regular_files_are_replaced_and_links_stay(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="pipe: must be a regular file, is a pipe"):
        files.write(tmp_path / "pipe", "text")
    files.write(tmp_path / "link", "text")
    assert (tmp_path / "target").read_text() == "text"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe", "target"]
    assert (tmp_path / "link").is_symlink()
