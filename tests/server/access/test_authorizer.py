import pytest
from glasstape_server.access.audit import AuditLog
from glasstape_server.access.authorizer import Authorizer, check_may_explain
from glasstape_server.access.scopes import OPEN, REQUIRED, Scope
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.calls import ANONYMOUS
from glasstape_server.domain.errors import PermissionDenied, Unauthenticated, Unimplemented

SIGNALS = "/glasstape.v1.SignalService/Signals"
PUBLISH = "/glasstape.v1.MarketService/PublishBars"


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path / "tokens.json")


@pytest.mark.parametrize("path", sorted(REQUIRED))
def test_each_scope_permits_its_methods_alone(tokens, path):
    authorizer = Authorizer(tokens)
    for scope in Scope:
        _, token = tokens.create(scope, [scope])
        allowed = not REQUIRED[path] or scope is Scope.ADMIN or scope in REQUIRED[path]
        if allowed:
            authorizer.authorize(path, f"Bearer {token}")
        else:
            with pytest.raises(PermissionDenied, match=f"requires the scope .*; {scope} has {scope}"):
                authorizer.authorize(path, f"Bearer {token}")
    if REQUIRED[path] == OPEN:
        assert authorizer.authorize(path, "") is ANONYMOUS
    else:
        with pytest.raises(Unauthenticated, match="a bearer token is required"):
            authorizer.authorize(path, "")


def test_an_unlisted_method_is_rejected_for_administrators_too(tokens):
    _, token = tokens.create("root", [Scope.ADMIN])
    for authorizer in (Authorizer(tokens), Authorizer(None)):
        with pytest.raises(Unimplemented, match=r"there is no method .*/DropModels"):
            authorizer.authorize("/glasstape.v1.InferenceService/DropModels", f"Bearer {token}")


@pytest.mark.parametrize("header", ["glt_x_y", "Basic YTpi", "Bearer", "Bearer "])
def test_a_malformed_header_is_rejected(tokens, header):
    tokens.create("a", [Scope.ADMIN])
    with pytest.raises(Unauthenticated):
        Authorizer(tokens).authorize(SIGNALS, header)


def test_admitted_and_rejected_calls_are_audited_without_secrets(tokens, tmp_path):
    audit = AuditLog(tmp_path / "audit.log")
    _, token = tokens.create("desk", [Scope.SIGNALS])
    authorizer = Authorizer(tokens, audit)
    authorizer.authorize(SIGNALS, f"Bearer {token}", (), "ipv4:1.2.3.4:5")
    for header in (f"Bearer {token}", "Bearer glt_deadbeef_topsecret"):
        with pytest.raises((PermissionDenied, Unauthenticated)):
            authorizer.authorize(PUBLISH, header)
    authorizer.authorize("/grpc.health.v1.Health/Check", "")
    audit.close()
    lines = (tmp_path / "audit.log").read_text().splitlines()
    assert len(lines) == 3
    assert '"who": "desk"' in lines[0]
    assert '"peer": "ipv4:1.2.3.4:5"' in lines[0]
    assert '"reason": "SCOPE_MISSING"' in lines[1]
    assert '"reason": "TOKEN_UNKNOWN"' in lines[2]
    assert token not in "".join(lines)
    assert "topsecret" not in "".join(lines)


def test_heat_maps_of_the_feed_require_the_scope_explain(tokens):
    grant, _ = tokens.create("desk", [Scope.SIGNALS])
    with pytest.raises(PermissionDenied, match="heatmap_method: requires the scope explain"):
        check_may_explain(grant.principal())
    grant, _ = tokens.create("desk", [Scope.SIGNALS, Scope.EXPLAIN])
    check_may_explain(grant.principal())
    check_may_explain(ANONYMOUS)
