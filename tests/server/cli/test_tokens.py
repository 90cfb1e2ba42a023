"""`glasstape tokens`."""

import json
import os
import subprocess
import sys

import pytest
from glasstape.cli import main
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import Unauthenticated


@pytest.fixture
def tokens(tmp_path, capsys):
    """Run the command on a file; return its status, output and errors."""

    def run(action, *arguments):
        status = main(["tokens", action, *arguments, "--tokens", str(tmp_path / "tokens.json")])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_token_is_shown_once_and_valid_until_revoked(tokens, tmp_path):
    status, out, err = tokens("create", "--name", "desk-3", "--scopes", "signals,explain", "--days", "30")
    token = out.strip()
    assert status == 0
    assert "cannot be shown again" in err
    assert TokenFile(tmp_path / "tokens.json").authenticate(token).scopes == {"signals", "explain"}
    status, listed, _ = tokens("list", "--json")
    row = json.loads(listed)
    assert status == 0
    assert (row["name"], row["scopes"]) == ("desk-3", ["signals", "explain"])
    assert token.split("_", 2)[2] not in listed
    status, out, _ = tokens("revoke", row["id"])
    assert (status, out) == (0, f"revoked {row['id']} of desk-3\n")
    with pytest.raises(Unauthenticated):
        TokenFile(tmp_path / "tokens.json").authenticate(token)
    assert tokens("list") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("create", "--name", "a", "--scopes", "sell"), "scopes: must be of predict, explain, "),
        (("create", "--name", " ", "--scopes", "admin"), "name: must be 1-100 printable characters, is ' '"),
        (("create", "--name", "a", "--scopes", "admin", "--days", "-1"), "days: must be 0-36500, is -1"),
        (("revoke", "abc"), "id: must be one of none, is 'abc'"),
        (("list",), "tokens.json does not exist"),
    ],
)
def test_invalid_arguments_are_rejected_and_leave_no_file(tokens, tmp_path, arguments, text):
    status, out, err = tokens(*arguments)
    assert (status, out) == (1, "")
    assert text in err
    assert not (tmp_path / "tokens.json").exists()


def test_a_token_is_written_to_a_file_that_only_its_owner_may_read(tokens, tmp_path):
    out = tmp_path / "desk-3.token"
    create = ("create", "--name", "desk-3", "--scopes", "signals", "--out", str(out))
    status, shown, _ = tokens(*create)
    token = out.read_text().strip()
    assert (status, out.stat().st_mode & 0o777) == (0, 0o600)
    assert token not in shown
    assert TokenFile(tmp_path / "tokens.json").authenticate(token).name == "desk-3"
    assert tokens(*create)[::2] == (1, f"glasstape tokens: --out: {out} exists; pass a new file\n")
    assert len(TokenFile(tmp_path / "tokens.json").grants()) == 1
    assert out.read_text().strip() == token


def test_a_token_that_cannot_be_written_is_not_created(tokens, tmp_path):
    missing = str(tmp_path / "missing" / "desk.token")
    assert tokens("create", "--name", "a", "--scopes", "signals", "--out", missing)[0] == 1
    assert not (tmp_path / "tokens.json").exists()
    status, _, err = tokens(
        "create", "--name", "a", "--scopes", "signals", "--certificate", "a", "--out", str(tmp_path / "x")
    )
    assert (status, err) == (1, "glasstape tokens: --out: a grant for a certificate has no token\n")


def _redirected(tmp_path, mode, *, content="", flags=()):
    """Create a token with standard output in a file of this mode; return the file and standard error."""
    path = tmp_path / "redirected"
    path.write_text(content)
    path.chmod(mode)
    create = ["tokens", "create", "--name", "a", "--scopes", "signals", "--tokens", str(tmp_path / "t.json")]
    with path.open("a") as out:
        done = subprocess.run(
            [sys.executable, "-m", "glasstape.cli", *create, *flags],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0
    return path, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622])
def test_a_file_that_a_token_is_redirected_to_becomes_private(tmp_path, mode, flags):
    path, err = _redirected(tmp_path, mode, flags=flags)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "glt_" in path.read_text()
    assert f"standard output is a file that had mode {mode:04o}, now 0600" in err


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_file_with_content_keeps_its_mode_and_the_user_is_warned(tmp_path):
    path, err = _redirected(tmp_path, 0o644, content="a log\n")
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.read_text().startswith("a log\nglt_")
    assert "standard output is a file with content and mode 0644, others may read it" in err


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize(
    ("mode", "flags"), [(0o600, ()), (0o400, ()), (0o644, ("--certificate", "bridge.local"))]
)
def test_an_output_without_a_secret_or_readers_gets_no_warning(tmp_path, mode, flags):
    path, err = _redirected(tmp_path, mode, flags=flags)
    assert path.stat().st_mode & 0o777 == mode
    assert "standard output" not in err
