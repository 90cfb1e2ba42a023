"""Sources are found by their entry points, load without their libraries, and name a missing one."""

import argparse
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from glasstape.sources import Source, SourceError

NAMES = ("alpaca", "finance-datareader", "ib", "kis", "yfinance")
LIBRARIES = (
    "FinanceDataReader",
    "aiohttp",
    "alpaca",
    "cryptography",
    "ib_async",
    "keyring",
    "pandas",
    "requests",
    "yfinance",
)
MODULES = {
    "alpaca": "alpaca",
    "finance-datareader": "FinanceDataReader",
    "ib": "ib_async",
    "kis": "aiohttp",
    "yfinance": "yfinance",
}


def load(name):
    (found,) = entry_points(group="glasstape.sources", name=name)
    return found.load()


@pytest.mark.parametrize("name", NAMES)
def test_each_source_is_found_and_described(name):
    source = load(name)
    assert issubclass(source, Source)
    assert source.help.endswith(f"(extra: {name})")
    parser = argparse.ArgumentParser()
    source.add_arguments(parser)
    actions = {action.dest for action in parser._actions}
    assert not actions & {"key", "secret", "password", "token"}


def test_sources_load_without_their_libraries():
    lines = [f"import {load(name).__module__}" for name in NAMES]
    lines += ["import sys", f"print(sorted(set({LIBRARIES!r}) & set(sys.modules)))"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_is_one_sentence(name, monkeypatch):
    for variable in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "KIS_APP_KEY", "KIS_APP_SECRET"):
        monkeypatch.setenv(variable, "secret")
    for module in [module for module in sys.modules if module.partition(".")[0] == MODULES[name]]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    source = load(name)
    parser = argparse.ArgumentParser()
    source.add_arguments(parser)
    with pytest.raises(SourceError, match=rf"^{name}: .*; run: pip install 'glasstape\[{name}\]'$"):
        source.from_options(parser.parse_args([]))
