"""Import rules of the desktop's modules, type-checking imports included."""

import ast
from pathlib import Path

import glasstape_qt
import grimp
import pytest

QT = ("PyQt6", "pyqtgraph")


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("glasstape_qt", include_external_packages=True, cache_dir=None)


def test_no_module_imports_itself_through_others(graph):
    modules = {module for module in graph.modules if module.split(".")[0] == "glasstape_qt"}
    circular = {
        module
        for module in modules
        if any(
            graph.chain_exists(imported, module)
            for imported in graph.find_modules_directly_imported_by(module) & modules
        )
    }
    assert circular == set()


def test_the_state_imports_no_qt(graph):
    importing = {
        module
        for package in QT
        for module in graph.find_modules_that_directly_import(package)
        if module.startswith("glasstape_qt.state")
    }
    assert importing == set()


def test_only_the_link_creates_a_client_or_plays_a_session():
    root = Path(glasstape_qt.__file__).parent
    creating = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("Client", "AsyncClient", "SessionServer", "Recorder")
    }
    assert creating == {"link.py", "bench.py"}  # the benchmark plays its load in a process of its own


def test_class_names_are_unique():
    names = [
        node.name
        for path in Path(glasstape_qt.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert len(names) > 50
    assert {name for name in names if names.count(name) > 1} == set()
