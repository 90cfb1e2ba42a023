import pytest
from glasstape_server.access import gate as module
from glasstape_server.access.audit import AuditLog
from glasstape_server.access.gate import Gate
from glasstape_server.access.scopes import OPEN, REQUIRED, Scope
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import PermissionDenied, Unauthenticated, Unimplemented
from glasstape_server.domain.values import ANYBODY

SIGNALS = "/glasstape.v1.SignalService/Signals"
PUBLISH = "/glasstape.v1.MarketService/PublishBars"


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path / "tokens.json")


@pytest.mark.parametrize("path", sorted(REQUIRED))
def test_each_scope_opens_what_it_should_and_nothing_else(tokens, path):
    gate = Gate(tokens)
    for scope in Scope:
        _, token = tokens.create(scope, [scope])
        allowed = not REQUIRED[path] or scope is Scope.ADMIN or scope in REQUIRED[path]
        if allowed:
            gate.admit(path, f"Bearer {token}")
        else:
            with pytest.raises(PermissionDenied, match=f"needs the scope .*; {scope} has {scope}"):
                gate.admit(path, f"Bearer {token}")
    if REQUIRED[path] == OPEN:
        assert gate.admit(path, "") is ANYBODY
    else:
        with pytest.raises(Unauthenticated, match="a bearer token is needed"):
            gate.admit(path, "")


def test_a_method_that_nobody_thought_of_is_refused_even_to_the_administrator(tokens):
    _, token = tokens.create("root", [Scope.ADMIN])
    for gate in (Gate(tokens), Gate(None)):
        with pytest.raises(Unimplemented, match=r"there is no method .*/DropModels"):
            gate.admit("/glasstape.v1.InferenceService/DropModels", f"Bearer {token}")


@pytest.mark.parametrize("header", ["glt_x_y", "Basic YTpi", "Bearer", "Bearer "])
def test_a_header_that_is_no_bearer_token_lets_nobody_in(tokens, header):
    tokens.create("a", [Scope.ADMIN])
    with pytest.raises(Unauthenticated):
        Gate(tokens).admit(SIGNALS, header)


def test_who_was_let_in_and_who_was_not_is_noted_without_any_secret(tokens, tmp_path):
    audit = AuditLog(tmp_path / "audit.log")
    _, token = tokens.create("desk", [Scope.SIGNALS])
    gate = Gate(tokens, audit)
    gate.admit(SIGNALS, f"Bearer {token}", (), "ipv4:1.2.3.4:5")
    for header in (f"Bearer {token}", "Bearer glt_deadbeef_topsecret"):
        with pytest.raises((PermissionDenied, Unauthenticated)):
            gate.admit(PUBLISH, header)
    gate.admit("/grpc.health.v1.Health/Check", "")
    audit.close()
    lines = (tmp_path / "audit.log").read_text().splitlines()
    assert len(lines) == 3
    assert '"who": "desk"' in lines[0]
    assert '"peer": "ipv4:1.2.3.4:5"' in lines[0]
    assert '"reason": "SCOPE_MISSING"' in lines[1]
    assert '"reason": "TOKEN_UNKNOWN"' in lines[2]
    assert token not in "".join(lines)
    assert "topsecret" not in "".join(lines)


def test_heat_maps_of_the_feed_need_the_scope_of_explanations(tokens):
    grant, _ = tokens.create("desk", [Scope.SIGNALS])
    with pytest.raises(PermissionDenied, match="heatmap_method: needs the scope explain"):
        module.check_may_explain(grant.principal())
    grant, _ = tokens.create("desk", [Scope.SIGNALS, Scope.EXPLAIN])
    module.check_may_explain(grant.principal())
    module.check_may_explain(ANYBODY)
