"""Tokens in keyrings that work, are missing, or fail in a way of their own."""

import keyring
import keyring.backends.fail
import pytest
from glasstape_qt.token_store import TokenStoreError, keep_for_session, read_token, write_token


def test_tokens_are_written_read_and_deleted(memory_keyring):
    write_token("a", "t")
    assert read_token("a") == "t"
    write_token("a", "")
    assert read_token("a") is None
    write_token("a", "")
    assert memory_keyring.tokens == {}


def test_a_system_without_a_keyring_raises_os_error(memory_keyring):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    with pytest.raises(OSError, match="No recommended backend"):
        read_token("a")
    with pytest.raises(OSError, match="No recommended backend"):
        write_token("a", "t")


@pytest.mark.parametrize(
    "failure", [RuntimeError("D-Bus is locked"), ImportError("secretstorage"), KeyError("x")]
)
def test_a_backend_that_raises_anything_raises_one_error(memory_keyring, monkeypatch, failure):
    def fail(*arguments):
        raise failure

    monkeypatch.setattr(memory_keyring, "get_password", fail)
    monkeypatch.setattr(memory_keyring, "set_password", fail)
    with pytest.raises(TokenStoreError, match=type(failure).__name__):
        read_token("a")
    with pytest.raises(TokenStoreError, match=type(failure).__name__):
        write_token("a", "t")


def test_a_token_of_this_run_needs_no_keyring(memory_keyring):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    keep_for_session("a", "t")
    assert read_token("a") == "t"
    keep_for_session("a", "")
    with pytest.raises(TokenStoreError):
        read_token("a")
