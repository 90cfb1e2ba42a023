import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from glasstape_server.access.scopes import Scope
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import Unauthenticated


def _open(path, **options):
    """Open a file that is checked for changes on every call."""
    return TokenFile(path, poll_interval=0.0, **options)


@pytest.fixture
def file(tmp_path):
    return _open(tmp_path / "tokens.json")


def _reason(function, *arguments):
    with pytest.raises(Unauthenticated) as error:
        function(*arguments)
    return error.value.reason


def test_a_token_identifies_its_owner_and_is_not_stored(file):
    grant, token = file.create("desk 3", [Scope.SIGNALS, Scope.EXPLAIN])
    principal = _open(file.path).authenticate(token)
    assert (principal.name, principal.scopes) == ("desk 3", {"signals", "explain"})
    secret = token.split("_", 2)[2]
    assert len(secret) > 40
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [g.id for g in file.grants()] == [grant.id]


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: "glt__", lambda t: "", str.upper]
)
def test_any_other_token_is_unknown(file, change):
    _, token = file.create("a", [Scope.SIGNALS])
    assert _reason(file.authenticate, change(token)) == "TOKEN_UNKNOWN"


def test_a_grant_of_a_certificate_has_no_token(file):
    grant, token = file.create("bridge", [Scope.PUBLISH], certificate="bridge.local")
    assert token == ""
    assert file.authenticate_certificate(["x", "bridge.local"]).id == grant.id
    assert file.authenticate_certificate(["x"]) is None
    assert _reason(file.authenticate, f"glt_{grant.id}_") == "TOKEN_UNKNOWN"


def test_an_expired_token_is_rejected(file):
    _, token = file.create("a", [Scope.SIGNALS], expires=time.time() + 60)
    principal = file.authenticate(token)
    rows = json.loads(file.path.read_text())
    rows[0]["expires"] = time.time() - 1
    file.path.write_text(json.dumps(rows))
    assert _reason(file.authenticate, token) == "TOKEN_EXPIRED"
    assert _reason(file.check, principal) == "TOKEN_EXPIRED"


def test_changes_by_another_process_take_effect(file):
    grant, token = file.create("a", [Scope.SIGNALS])
    running = _open(file.path)
    principal = running.authenticate(token)
    running.check(principal)
    _, later = file.create("b", [Scope.ADMIN])
    assert running.authenticate(later).name == "b"
    file.revoke(grant.id)
    assert _reason(running.check, principal) == "TOKEN_REVOKED"
    assert _reason(running.authenticate, token) == "TOKEN_UNKNOWN"
    with pytest.raises(ValueError, match="id: must be one of"):
        file.revoke(grant.id)


class CountingPath(type(Path())):
    """A path that counts how often it is examined."""

    looks = 0

    def stat(self, **options):
        type(self).looks += 1
        return super().stat(**options)


async def test_a_new_token_is_known_after_a_refresh_and_many_callers_share_one(file):
    file.create("a", [Scope.SIGNALS])
    running = TokenFile(CountingPath(file.path), poll_interval=60.0)
    assert len(running.grants()) == 1
    _, later = file.create("b", [Scope.ADMIN])
    assert _reason(running.authenticate, later) == "TOKEN_UNKNOWN"
    assert not running.knows(later)
    CountingPath.looks = 0
    await asyncio.gather(*(running.refresh() for _ in range(1000)))
    assert CountingPath.looks <= 2  # a second one to check the mode
    assert running.authenticate(later).name == "b"
    CountingPath.looks = 0
    await asyncio.gather(*(running.refresh() for _ in range(1000)))
    assert CountingPath.looks == 1


async def test_a_change_between_two_calls_is_noticed_by_polling(file):
    """Of a file that is damaged later, the newest whole one counts."""
    _, token = file.create("a", [Scope.SIGNALS])
    running = TokenFile(file.path, poll_interval=60.0)
    _, later = file.create("b", [Scope.ADMIN])
    await running.poll()
    file.path.write_text("[")
    await running.poll()
    assert "invalid token file" in running.last_error
    assert running.authenticate(later).name == "b"
    file.path.write_text("[]")
    await running.poll()
    assert _reason(running.authenticate, token) == "TOKEN_UNKNOWN"


def test_a_file_that_is_changed_in_place_with_its_time_kept_is_read(file):
    grant, token = file.create("a", [Scope.SIGNALS])
    file.authenticate(token)
    before = file.path.stat()
    text = file.path.read_text().replace(grant.digest, "0" * 64)
    with file.path.open("r+") as opened:
        opened.write(text)
    os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.path.stat().st_ino, file.path.stat().st_size) == (before.st_ino, before.st_size)
    assert _reason(file.authenticate, token) == "TOKEN_UNKNOWN"


async def test_a_new_certificate_is_known_after_a_refresh(file):
    running = TokenFile(file.path, poll_interval=60.0)
    assert not running.grants()
    file.create("bridge", [Scope.PUBLISH], certificate="bridge.local")
    assert not running.knows("", ["bridge.local"])
    await running.refresh()
    assert running.knows("", ["x", "bridge.local"])
    assert not running.knows("", [""])


def test_narrowed_scopes_revoke_earlier_admissions(file):
    grant, token = file.create("a", [Scope.SIGNALS, Scope.PUBLISH])
    principal = file.authenticate(token)
    rows = json.loads(file.path.read_text())
    rows[0]["scopes"] = ["signals"]
    file.path.write_text(json.dumps(rows))
    assert grant.id == principal.id
    assert _reason(file.check, principal) == "TOKEN_CHANGED"


def test_a_file_readable_by_other_users_is_rejected(file):
    file.create("a", [Scope.SIGNALS])
    file.path.chmod(0o644)
    with pytest.raises(ValueError, match="has mode 0644, others may read it; run chmod"):
        TokenFile(file.path)


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
def test_an_invalid_file_is_rejected_at_start_and_ignored_later(file, text, caplog):
    _, token = file.create("a", [Scope.SIGNALS])
    file.path.write_text(text)
    with pytest.raises(ValueError, match="invalid token file"):
        TokenFile(file.path)
    assert file.authenticate(token).name == "a"
    assert "invalid token file" in caplog.text


def test_an_error_of_the_file_names_row_and_field(file):
    file.create("a", [Scope.SIGNALS])
    rows = json.loads(file.path.read_text())
    file.path.write_text(json.dumps([*rows, {**rows[0], "expires": "soon"}]))
    with pytest.raises(ValueError, match=r"invalid token file: 1\.expires: .*valid number"):
        TokenFile(file.path)


@pytest.mark.parametrize("limit", [60.0, 0.0])
def test_grants_of_an_unreadable_file_are_void_after_the_limit(file, limit):
    _, token = file.create("a", [Scope.SIGNALS])
    running = _open(file.path, unreadable_limit=limit)
    principal = running.authenticate(token)
    file.revoke(file.create("b", [Scope.SIGNALS])[0].id)
    file.path.chmod(0o644)  # as a manual edit might leave it
    if limit:
        running.check(principal)
        assert running.authenticate(token).name == "a"
    else:
        assert _reason(running.check, principal) == "TOKEN_REVOKED"
        assert _reason(running.authenticate, token) == "TOKEN_UNKNOWN"
    assert "others may read it" in running.last_error
    file.path.chmod(0o600)
    assert running.authenticate(token).name == "a"
    assert not running.last_error


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the owner of a file")
def test_a_file_changed_by_root_keeps_its_owner(file):
    file.create("a", [Scope.SIGNALS])
    os.chown(file.path, 12345, 12345)
    file.create("b", [Scope.SIGNALS])
    found = file.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12345, 0o600)
