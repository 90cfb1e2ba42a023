"""What replaces a file replaces regular files only, and leaves everything else as it is."""

import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from glasstape import UnavailableError
from glasstape.cli import main
from glasstape.replacing import replacing
from glasstape.session import Recorder, write_session
from glasstape.sources.follow_stats import FollowStats, write_health
from glasstape.sources.history_parts import HistoryParts, write_instruments
from glasstape.testing import FakeServer, make_buy


@pytest.fixture(scope="module")
def server():
    with FakeServer() as fake:
        fake.emit(make_buy("AAPL"))
        yield fake


def _record(path, server):
    with Recorder(server.address, path):
        pass


def _export(path, server):
    if main(["export", "--out", str(path), "--server", server.address]):
        raise OSError("must be a regular file")  # the command has printed the sentence


WRITERS = {
    "record": _record,
    "export": _export,
    "session": lambda path, server: write_session(path, []),
    "health": lambda path, server: write_health(FollowStats(), path),
    "fetch": lambda path, server: HistoryParts(path, {}).write_csv([], path),
    "instruments": lambda path, server: write_instruments([], path),
}


def _device(path):
    # a copy of the null device: the real one is never a target of a test
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices can only be made by root")


def _socket(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


KINDS = {"a device": _device, "a pipe": os.mkfifo, "a folder": os.mkdir, "a socket": _socket}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_no_regular_file_is_refused_and_kept(writer, kind, server, tmp_path, capsys):
    path = tmp_path / "target.csv"
    KINDS[kind](path)
    before = path.lstat()
    with pytest.raises(OSError, match="must be a regular file"):
        WRITERS[writer](path, server)
    assert path.lstat() == before
    assert list(tmp_path.iterdir()) == [path]
    if writer == "export":
        assert capsys.readouterr().err == f"glasstape: {path}: must be a regular file, is {kind}\n"


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_the_file_that_it_names_is_written(writer, exists, server, tmp_path):
    folder, path = tmp_path / "folder", tmp_path / "target.csv"
    folder.mkdir()
    target = folder / "real"
    if exists:
        target.write_text("old")
        target.chmod(0o600)
    path.symlink_to("folder/real")
    WRITERS[writer](path, server)
    assert path.is_symlink()
    assert target.read_bytes() not in (b"", b"old")
    assert list(folder.iterdir()) == [target]
    if exists:
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_to_a_device_is_refused(server, tmp_path):
    _device(tmp_path / "device")
    (tmp_path / "link").symlink_to("device")
    with pytest.raises(OSError, match="link: must be a regular file, is a device"):
        _record(tmp_path / "link", server)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["device", "link"]


def _interrupted(path):
    with replacing(path) as draft:
        draft.write_text("new")
        raise KeyboardInterrupt


def test_a_failure_keeps_the_file_and_leaves_no_draft(tmp_path):
    path = tmp_path / "kept"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(path)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("kept", "old")]
    with pytest.raises(FileNotFoundError, match="missing"), replacing(tmp_path / "missing" / "file"):
        pass
    with pytest.raises(UnavailableError):
        Recorder("127.0.0.1:1", path)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("kept", "old")]


def test_ctrl_c_while_a_recording_connects_leaves_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "glasstape.cli", "record", str(tmp_path / "x.session"), "--server"]
        with subprocess.Popen([*command, address], stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            connection.close()
    assert (process.returncode, err) == (130, "")
    assert list(tmp_path.iterdir()) == []
