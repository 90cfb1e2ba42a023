"""Versions of the packages that Glasstape needs, checked without importing them."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

DISPLAY_TIMEOUT_S = 20.0
Finding = tuple[str, str]
"""("ok" | "warning" | "problem", sentence)."""
_EXTRAS = (("cli", "rich"), ("server", "torch"), ("desktop", "PyQt6"))


def check_installation() -> Iterator[Finding]:
    """Yield the versions of Python, Glasstape and its packages, and which extras are installed."""
    yield "ok", f"Python {sys.version.split()[0]}, glasstape {version('glasstape')}"
    for extra, package in _EXTRAS:
        try:
            yield "ok", f"extra [{extra}]: {package} {version(package)}"
        except PackageNotFoundError:
            yield "ok", f"extra [{extra}] is not installed (pip install 'glasstape[{extra}]')"
    yield from check_packages()
    yield from check_desktop()


def check_desktop() -> Iterator[Finding]:
    """Yield whether the desktop can open a window, if it is installed; Qt would end this process if it cannot."""
    if not all(importlib.util.find_spec(name) for name in ("PyQt6", "glasstape_qt")):
        return
    command = [sys.executable, "-m", "glasstape_qt.display"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DISPLAY_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        yield "warning", f"desktop: Qt did not start within {DISPLAY_TIMEOUT_S:g} s"
        return
    if done.returncode == 0:
        yield "ok", "desktop: a window can be opened"
    else:
        lines = done.stderr.strip().splitlines() or [f"Qt exits with status {done.returncode}"]
        yield "warning", f"desktop: {lines[-1].removeprefix('glasstape desk: ')}"


def check_packages() -> Iterator[Finding]:
    """Yield whether each required package is installed and new enough."""
    for line in requires("glasstape") or ():
        name, _, marker = line.partition(";")
        if "extra" not in marker and "win32" not in marker:
            yield _package(name.strip())


def package_problems(error: Exception) -> list[str]:
    """Return what is wrong with the required packages if an error shows that something is; else an empty list."""
    # protobuf raises VersionError for stubs of a newer version, grpc RuntimeError.
    if not isinstance(error, ImportError | RuntimeError) and type(error).__name__ != "VersionError":
        return []
    return [text for kind, text in check_packages() if kind == "problem"]


def _package(requirement: str) -> Finding:
    name = requirement.split(">=")[0].strip()
    least = requirement.partition(">=")[2].strip()
    try:
        have = version(name)
    except PackageNotFoundError:
        return "problem", f"{name} is missing: pip install '{requirement}'"
    if least and _numbers(have) < _numbers(least):
        return "problem", f"{name} {have} is too old: pip install '{requirement}'"
    return "ok", f"{name} {have}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())
