"""Rules of the repository that no linter checks."""

import ast
import re
import runpy
import subprocess
from pathlib import Path

import pytest
import yaml
from glasstape.testing import FakeServer, make_buy

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("client_py", "server", "client_qt", "proto", "tests", "examples", "benchmarks", "docs")
SOURCES = [ROOT / "hatch_build.py"] + [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "_pb2" not in path.name and "node_modules" not in path.parts
]
BANNED = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
BANNED_CALLS = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "torch.export.load",
    "yaml.load",
    "eval",
    "exec",
}
LONGEST = 300
"""Lines of a file."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_loads_code_from_data(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not BANNED & {name.split(".")[0] for name in names}
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in BANNED_CALLS


def test_the_architecture_page_names_files_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    named = re.findall(r"`((?:server|client_py|client_qt|proto|tests|examples)/[\w./-]+\.\w+)`", text)
    assert len(named) >= 6
    for name in named:
        assert (ROOT / name).exists(), name


def python_blocks():
    text = (ROOT / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_python_in_the_readme_runs(number, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = python_blocks()[number].replace('"localhost:50551"', "ADDRESS")
    script = tmp_path / "example.py"
    script.write_text(_bounded(code.replace("client.signals(", "client.signals(start='earliest', ")))
    with FakeServer() as server:
        server.emit(make_buy("AAPL"))
        runpy.run_path(str(script), {"ADDRESS": server.address})
    assert capsys.readouterr().out.strip()


def _bounded(script):
    """End every endless `for ... in client.signals(...)` after its first event."""
    tree = ast.parse(script)
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor) and "signals(" in ast.unparse(node.iter):
            node.body.append(ast.Break())
    return ast.unparse(ast.fix_missing_locations(tree))


def test_no_registry_host_and_no_local_path_is_named():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hosts = ["pypi" + ".org", "registry" + ".npmjs", "files.python" + "hosted", "/" + "work/", "/" + "root/"]
    for name in tracked.splitlines():
        path = ROOT / name
        if (
            path.suffix in {".gz", ".safetensors", ".binpb", ".png", ".webp", ".otf", ".wav"}
            or not path.is_file()
        ):
            continue
        text = path.read_text(errors="replace")
        for host in hosts:
            assert host not in text, f"{name} names {host}"


def test_ci_runs_the_readmes_test_command():
    assert "\nmake test " in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "exec make test"
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert {"run": "make test"} in jobs["test"]["steps"]


def test_targets_of_make_exist_and_have_a_help_text():
    text = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()
    described = re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)
    assert sorted(declared) == sorted(described)
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".github/workflows/ci.yml"]
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:^|`|run: )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert {"test", "check", "dist", "sdk-only"} <= named <= set(declared)


def test_hooks_run_tools_of_the_development_environment():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks:
        tool = hook["entry"].removesuffix(" --force-exclude").replace(".venv/bin", "$(BIN)")
        assert tool in makefile, hook["entry"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda p: p.name
)
def test_issue_forms_are_well_formed(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys()
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert all(part["attributes"]["label"] for part in fields)
    assert len({part["id"] for part in fields}) == len(fields)
