"""`glasstape tokens`."""

import json

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
