"""`glasstape doctor` starts whatever is installed, and every command names a package that is too old in one line."""

import subprocess
import sys

import pytest

OLD = """
import importlib.abc, importlib.metadata, sys
real = importlib.metadata.version
importlib.metadata.version = lambda name: "5.29.5" if name == "protobuf" else real(name)

class NoProtobuf(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "google":
            raise {error}

class VersionError(Exception):
    pass

sys.meta_path.insert(0, NoProtobuf())
from glasstape.cli import main
sys.exit(main(sys.argv[1:]))
"""
ERRORS = [
    'ImportError("cannot import name runtime_version")',
    'VersionError("gencode 6.31.1 runtime 5.29.5")',
]
MISSING = """
import sys
sys.modules["lazy_loader"] = None
import importlib.metadata
real = importlib.metadata.version

def version(name):
    if name == "lazy-loader":
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)

importlib.metadata.version = version
from glasstape.cli import main
sys.exit(main(sys.argv[1:]))
"""


def _run(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("error", ERRORS)
def test_doctor_needs_no_protobuf(error):
    done = _run(OLD.replace("{error}", error), "doctor", "--offline")
    (problem,) = (line for line in done.stdout.splitlines() if line.startswith("problem"))
    assert problem.endswith("protobuf 5.29.5 is too old: pip install 'protobuf>=6.33.5'")
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("command", ["predict", "models", "watch"])
def test_commands_name_what_is_too_old(command, error):
    done = _run(OLD.replace("{error}", error), command, *(["A"] if command == "predict" else []))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "glasstape: protobuf 5.29.5 is too old: pip install 'protobuf>=6.33.5'\n"


def test_a_missing_package_of_the_sdk_is_named():
    assert "problem  lazy-loader is missing: pip install" in _run(MISSING, "doctor", "--offline").stdout
    assert _run(MISSING, "models").stderr.startswith("glasstape: lazy-loader is missing: pip install")
