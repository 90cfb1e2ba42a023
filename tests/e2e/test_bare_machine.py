"""Server and SDK run where a container gives them nothing: no temporary folder, home or user name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = """
import os, sys
from glasstape import Client
with Client(sys.argv[1]) as client:
    print(len(client.models()), os.getuid())
"""
USER = 64321
"""In no password database."""

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None or os.geteuid() != 0, reason="requires root and bubblewrap"
)


def _bare(writable, *command):
    """Return a process as an unknown user on a file system that is read-only outside `writable`."""
    sandbox = [
        "bwrap", "--die-with-parent", "--unshare-user", "--uid", str(USER), "--ro-bind", "/", "/",
        "--bind", str(writable), str(writable),
        "--dev", "/dev", "--remount-ro", "/dev", "--proc", "/proc", "--chdir", "/",
    ]  # fmt: skip
    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*sandbox, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def _ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_server_and_sdk_need_no_temporary_folder_home_or_user_name(tmp_path):
    glasstape = [sys.executable, "-m", "glasstape.cli"]
    server = _bare(tmp_path, *glasstape, "serve", "--port", "0", "--data-dir", str(tmp_path / "data"))
    with server:
        line = server.stdout.readline()
        assert line.startswith("serving on "), server.stderr.read()
        address = line.removeprefix("serving on ").strip()
        assert _ended(_bare(tmp_path, sys.executable, "-c", CLIENT, address)) == (0, f"1 {USER}\n", "")
        status, out, err = _ended(_bare(tmp_path, *glasstape, "models", "--server", address))
        assert (status, err) == (0, "")
        assert "sample-conv1d" in out
        server.terminate()
        server.wait(timeout=30)


@pytest.mark.parametrize(
    "command",
    [["evaluate", "--data", "sample", "--arch", "linear"], ["demo", "--for", "5s", "--view", "text"]],
)
def test_commands_that_need_temporary_files_say_so(tmp_path, command):
    status, _, err = _ended(_bare(tmp_path, sys.executable, "-m", "glasstape.cli", *command))
    assert status == 1
    assert err.splitlines()[-1].endswith("temporary files: no folder is writable; set TMPDIR to one that is")
    assert "Traceback" not in err
