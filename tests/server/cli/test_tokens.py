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
