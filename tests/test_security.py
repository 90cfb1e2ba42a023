"""Promises of SECURITY.md that need no server."""

import itertools
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FLOORS = tomllib.loads((ROOT / ".ci" / "floors.toml").read_text())


@pytest.mark.parametrize("package", FLOORS)
def test_no_version_with_a_known_advisory_is_installed_or_allowed(package):
    floor = Version(FLOORS[package]["minimum"])
    try:
        installed = version(package)
    except PackageNotFoundError:
        pytest.fail(f"{package} is in .ci/floors.toml and is not installed")
    assert Version(installed) >= floor
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = list(itertools.chain(project["dependencies"], *project["optional-dependencies"].values()))
    allowed = [Requirement(line) for line in asked if Requirement(line).name.lower() == package.lower()]
    for requirement in allowed:
        if requirement.specifier:
            assert f"{floor}.dev0" not in requirement.specifier, f"{requirement} allows less than {floor}"


@pytest.mark.parametrize("package", FLOORS)
def test_every_minimum_names_its_advisories(package):
    assert FLOORS[package]["advisories"], package
    for name, what in FLOORS[package]["advisories"].items():
        assert name.startswith(("CVE-", "GHSA-", "PYSEC-"))
        assert what


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "import shelve",
        "import marshal",
        'import torch\n\ntorch.load("x")',
        'import torch\n\ntorch.jit.load("x")',
        'from torch import load\n\nload("x")',
        'import torch\n\ntorch.export.load("x")',
    ],
)
def test_the_lint_rejects_what_executes_code_from_its_input(line):
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--select",
        "TID251",
        "--stdin-filename",
        "server/x.py",
        "-",
    ]
    done = subprocess.run(command, input=line + "\n", capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "TID251" in done.stdout


def test_the_parser_of_messages_has_a_limit_on_nesting():
    from google.protobuf.internal import api_implementation

    assert api_implementation.Type() == "upb"  # the pure Python one has unbounded recursion: CVE-2025-4565
