"""Credentials come from file, environment or key ring, and never appear in a text."""

import argparse
import sys

import pytest
from glasstape.sources import CredentialsError
from glasstape.sources.credentials import add_credentials_argument, read_credentials

keyring = pytest.importorskip("keyring")
backend = pytest.importorskip("keyring.backend")

VARIABLES = {"key": "MARKET_KEY", "secret": "MARKET_SECRET"}


class KeyRing(backend.KeyringBackend):
    priority = 1

    def __init__(self, passwords=(), error=None):
        super().__init__()
        self.passwords = dict(passwords)
        self.error = error

    def get_password(self, service, username):
        if self.error:
            raise self.error
        return self.passwords.get((service, username))

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    use_key_ring(monkeypatch, KeyRing())


def use_key_ring(monkeypatch, ring):
    monkeypatch.setattr("keyring.core._keyring_backend", ring)


def write(path, text, mode=0o600):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_environment_is_read(monkeypatch):
    monkeypatch.setenv("MARKET_KEY", "PK1")
    monkeypatch.setenv("MARKET_SECRET", "s3cret")
    assert dict(read_credentials("market", VARIABLES)) == {"key": "PK1", "secret": "s3cret"}


def test_key_ring_supplies_what_the_environment_lacks(monkeypatch):
    monkeypatch.setenv("MARKET_KEY", "PK1")
    ring = {("glasstape-market", "MARKET_KEY"): "other", ("glasstape-market", "MARKET_SECRET"): "s3cret"}
    use_key_ring(monkeypatch, KeyRing(ring))
    assert dict(read_credentials("market", VARIABLES)) == {"key": "PK1", "secret": "s3cret"}


def test_a_file_is_the_only_place(monkeypatch, tmp_path):
    monkeypatch.setenv("MARKET_SECRET", "of another account")
    file = write(tmp_path / "c", "# my keys\n\nexport MARKET_KEY=PK1\nMARKET_SECRET = 'a=b'\nOTHER=\n")
    assert dict(read_credentials("market", VARIABLES, file)) == {"key": "PK1", "secret": "a=b"}
    file = write(tmp_path / "half", "MARKET_KEY=PK1\n")
    with pytest.raises(CredentialsError, match=r"MARKET_SECRET not found in .*half"):
        read_credentials("market", VARIABLES, file)


def test_missing_credentials_are_named():
    with pytest.raises(CredentialsError) as caught:
        read_credentials("market", VARIABLES)
    assert str(caught.value) == (
        "credentials of market: MARKET_KEY, MARKET_SECRET not found in the environment and the key ring "
        "(service glasstape-market)"
    )


def test_optional_credentials_are_all_or_none(monkeypatch):
    assert len(read_credentials("market", VARIABLES, required=False)) == 0
    monkeypatch.setenv("MARKET_KEY", "PK1")
    with pytest.raises(CredentialsError, match="MARKET_SECRET not found"):
        read_credentials("market", VARIABLES, required=False)


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    file = write(tmp_path / "c", "MARKET_KEY=PK1\nMARKET_SECRET=s3cret\n", mode)
    with pytest.raises(CredentialsError, match=f"mode {mode:04o} .*expected 0600; run: chmod 600") as caught:
        read_credentials("market", VARIABLES, file)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MARKET_KEY=PK1\ns3cret\n", "line 2: expected NAME=value"),
        ("MARKET KEY=s3cret\n", "line 1: expected NAME=value"),
        (b"MARKET_KEY=s3cret\xff", "not UTF-8 text"),
        ("MARKET_KEY=" + "s3cret" * 20_000, "longer than 65536 bytes"),
    ],
)
def test_a_malformed_file_is_refused_without_its_content(tmp_path, text, reason):
    with pytest.raises(CredentialsError, match=reason) as caught:
        read_credentials("market", VARIABLES, write(tmp_path / "c", text))
    assert "s3cret" not in str(caught.value)


def test_a_missing_file_and_a_directory_are_refused(tmp_path):
    with pytest.raises(CredentialsError, match="No such file"):
        read_credentials("market", VARIABLES, tmp_path / "none")
    with pytest.raises(CredentialsError, match="Is a directory"):
        read_credentials("market", VARIABLES, tmp_path)


def test_an_unreadable_key_ring_is_reported(monkeypatch):
    use_key_ring(monkeypatch, KeyRing(error=keyring.errors.KeyringLocked("s3cret")))
    with pytest.raises(CredentialsError, match=r"the key ring cannot be read: KeyringLocked$"):
        read_credentials("market", VARIABLES)


def test_a_machine_without_a_key_ring_has_none(monkeypatch):
    use_key_ring(monkeypatch, KeyRing(error=keyring.errors.NoKeyringError()))
    assert len(read_credentials("market", VARIABLES, required=False)) == 0


def test_texts_hide_the_values(monkeypatch):
    monkeypatch.setenv("MARKET_KEY", "PK1")
    monkeypatch.setenv("MARKET_SECRET", "PK1-s3cret")
    credentials = read_credentials("market", VARIABLES)
    assert repr(credentials) == str(credentials) == "<credentials of market: key, secret>"
    assert credentials.redact("401 for PK1 with PK1-s3cret") == "401 for *** with ***"


def test_the_argument_takes_a_file_and_no_credential(tmp_path):
    parser = argparse.ArgumentParser()
    add_credentials_argument(parser)
    assert parser.parse_args([]).credentials is None
    assert parser.parse_args(["--credentials", str(tmp_path / "c")]).credentials == tmp_path / "c"
