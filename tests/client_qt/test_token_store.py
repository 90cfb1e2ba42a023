import keyring
import keyring.backends.fail
import pytest
from glasstape_qt.token_store import read_token, write_token


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
