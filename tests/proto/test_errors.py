"""Every reason that the server raises is in the contract, with the code that the contract gives it."""

import ast
import runpy
from pathlib import Path

import pytest
from glasstape.v1 import errors_pb2
from glasstape_server.domain import errors
from glasstape_server.rpc.status import REASON_PREFIX, code_of, problem_of

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "docs/tools/error_reasons.py"))
REASONS = {reason.name: reason for reason in TOOL["reasons"]()}
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and issubclass(kind, errors.GlasstapeError)
    and kind is not errors.GlasstapeError
}


def raised():
    """(class, reason, place) of every error that is made in the server's source."""
    for path in sorted((ROOT / "server/glasstape_server").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function, arguments = node.func, node.args
            reason = None
            if isinstance(function, ast.Name) and function.id in CLASSES and arguments:
                name, reason = function.id, arguments[0]
            elif isinstance(function, ast.Attribute) and function.attr == "field" and len(arguments) == 3:
                name, reason = ast.unparse(function.value).rpartition(".")[2], arguments[2]
            if name_is_error(reason):
                yield name, reason.value, f"{path.relative_to(ROOT)}:{node.lineno}"


def name_is_error(reason):
    return isinstance(reason, ast.Constant) and isinstance(reason.value, str)


def test_the_server_raises_reasons_of_the_contract_with_their_codes():
    found = list(raised())
    assert len(found) > 30
    for name, reason, place in found:
        assert reason in REASONS, place
        code = code_of(CLASSES[name](reason, "")).name
        assert code == REASONS[reason].code, place


def test_every_reason_of_the_contract_is_raised():
    names = {reason for _, reason, _ in raised()} | {"INVALID_FIELD"}  # the default of InvalidArgument.field
    assert names == set(REASONS) - {"UNSPECIFIED"}


@pytest.mark.parametrize("name", list(REASONS))
def test_a_problem_carries_the_reason_as_enum(name):
    problem = problem_of(errors.InvalidArgument.field("a.b", "must be 1, is 2", name))
    assert errors_pb2.ErrorReason.Name(problem.reason) == REASON_PREFIX + name
    assert [(v.field, v.description) for v in problem.violations] == [("a.b", "must be 1, is 2")]


def test_the_page_of_reasons_is_not_stale():
    assert TOOL["PAGE"].read_text() == TOOL["page"]()
