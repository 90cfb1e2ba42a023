"""Every public field, member and method of the SDK has a line of documentation."""

import ast
import importlib
import inspect
from pathlib import Path

import glasstape
import glasstape.session
import glasstape.testing
import pytest

PUBLIC = {
    glasstape: glasstape.__all__,
    glasstape.session: glasstape.session.__all__,
    glasstape.testing: ["FakeServer"],
}
CLASSES = sorted(
    {
        value
        for module, names in PUBLIC.items()
        for name in names
        if inspect.isclass(value := getattr(module, name))
    },
    key=lambda kind: (kind.__module__, kind.__name__),
)


def bodies(kind):
    """Yield the syntax trees of a class and of the classes of this package that it inherits from."""
    for parent in kind.__mro__:
        if parent.__module__.startswith("glasstape"):
            source = Path(inspect.getfile(importlib.import_module(parent.__module__)))
            yield next(
                node
                for node in ast.walk(ast.parse(source.read_text()))
                if isinstance(node, ast.ClassDef) and node.name == parent.__name__
            )


def names_of(statement):
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def undocumented(kind):
    """Return the public names of a class that neither it nor a class above it documents."""
    found, described = set(), set()
    for body in bodies(kind):
        for statement, text in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                names, has_text = [statement.name], ast.get_docstring(statement) is not None
            else:
                names = names_of(statement)
                has_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
            public = {name for name in names if not name.startswith("_")}
            found |= public
            described |= public if has_text else set()
    return sorted(found - described)


def test_the_classes_are_found():
    assert len(CLASSES) > 70
    assert {glasstape.Signal, glasstape.Method, glasstape.Client} <= set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_public_name_is_documented(kind):
    assert inspect.getdoc(kind)
    assert undocumented(kind) == []
