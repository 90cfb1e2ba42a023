import json
import os
import time

import pytest
from glasstape_server.access.scopes import Scope
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import Unauthenticated


def opened(path, **options):
    """A file that is looked at for every call."""
    return TokenFile(path, poll_interval=0, **options)


@pytest.fixture
def file(tmp_path):
    return opened(tmp_path / "tokens.json")


def _reason(function, *arguments):
    with pytest.raises(Unauthenticated) as error:
        function(*arguments)
    return error.value.reason


def test_a_token_is_its_principal_and_never_stored(file):
    grant, token = file.create("desk 3", [Scope.SIGNALS, Scope.EXPLAIN])
    principal = opened(file.path).authenticate(token)
    assert (principal.name, principal.scopes) == ("desk 3", {"signals", "explain"})
    secret = token.split("_", 2)[2]
    assert len(secret) > 40
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [g.id for g in file.grants()] == [grant.id]


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: "glt__", lambda t: "", str.upper]
)
def test_anything_else_is_nobody(file, change):
    _, token = file.create("a", [Scope.SIGNALS])
    assert _reason(file.authenticate, change(token)) == "TOKEN_UNKNOWN"


def test_a_certificates_grant_has_no_token(file):
    grant, token = file.create("bridge", [Scope.PUBLISH], certificate="bridge.local")
    assert token == ""
    assert file.by_certificate(["x", "bridge.local"]).id == grant.id
    assert file.by_certificate(["x"]) is None
    assert _reason(file.authenticate, f"glt_{grant.id}_") == "TOKEN_UNKNOWN"


def test_an_expired_token_ends(file):
    _, token = file.create("a", [Scope.SIGNALS], expires=time.time() + 0.05)
    principal = file.authenticate(token)
    time.sleep(0.06)
    assert _reason(file.authenticate, token) == "TOKEN_EXPIRED"
    assert _reason(file.check, principal) == "TOKEN_EXPIRED"


def test_a_running_server_sees_what_another_process_changed(file):
    grant, token = file.create("a", [Scope.SIGNALS])
    running = opened(file.path)
    principal = running.authenticate(token)
    running.check(principal)
    _, later = file.create("b", [Scope.ADMIN])
    assert running.authenticate(later).name == "b"
    file.revoke(grant.id)
    assert _reason(running.check, principal) == "TOKEN_REVOKED"
    assert _reason(running.authenticate, token) == "TOKEN_UNKNOWN"
    with pytest.raises(ValueError, match="id: must be one of"):
        file.revoke(grant.id)


def test_narrowed_scopes_end_what_was_let_in_before(file):
    grant, token = file.create("a", [Scope.SIGNALS, Scope.PUBLISH])
    principal = file.authenticate(token)
    rows = json.loads(file.path.read_text())
    rows[0]["scopes"] = ["signals"]
    file.path.write_text(json.dumps(rows))
    assert grant.id == principal.id
    assert _reason(file.check, principal) == "TOKEN_CHANGED"


def test_a_file_that_others_may_read_is_refused(file):
    file.create("a", [Scope.SIGNALS])
    file.path.chmod(0o644)
    with pytest.raises(ValueError, match="other users may read it; run chmod 600"):
        opened(file.path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        '[{"id": "x"}]',
        '[{"id": "x", "name": "y", "scopes": ["root"]}]',
        '[{"id": "x", "name": "y", "scopes": [], "expires": "2020-01-01"}]',
        '[{"id": "x", "name": "y", "scopes": [], "expires": null}]',
        '[{"id": "x", "name": "y", "scopes": [], "expires": false}]',
    ],
)
def test_a_broken_file_is_refused_at_the_start_and_changes_nothing_later(file, text, caplog):
    _, token = file.create("a", [Scope.SIGNALS])
    file.path.write_text(text)
    with pytest.raises(ValueError, match="not a token file"):
        opened(file.path)
    assert file.authenticate(token).name == "a"
    assert "not a token file" in caplog.text


def test_what_is_wrong_with_a_file_is_told_by_row_and_field(file):
    file.create("a", [Scope.SIGNALS])
    rows = json.loads(file.path.read_text())
    file.path.write_text(json.dumps([*rows, {**rows[0], "expires": "soon"}]))
    with pytest.raises(ValueError, match=r"not a token file: 1\.expires: .*valid number"):
        opened(file.path)


def test_a_file_that_stays_unreadable_grants_nothing(file):
    _, token = file.create("a", [Scope.SIGNALS])
    running = opened(file.path, grace=0.2)
    principal = running.authenticate(token)
    file.revoke(file.create("b", [Scope.SIGNALS])[0].id)
    file.path.chmod(0o640)  # as an edit by hand might leave it
    assert running.authenticate(token).name == "a"
    assert "other users may read it" in running.last_error
    time.sleep(0.25)
    assert _reason(running.check, principal) == "TOKEN_REVOKED"
    assert _reason(running.authenticate, token) == "TOKEN_UNKNOWN"
    file.path.chmod(0o600)
    assert running.authenticate(token).name == "a"
    assert not running.last_error


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_root_changes_stays_its_owners(file):
    file.create("a", [Scope.SIGNALS])
    os.chown(file.path, 12345, 12345)
    file.create("b", [Scope.SIGNALS])
    found = file.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12345, 0o600)
