"""Tokens of server profiles: in the system's keyring, or in memory for this run; never in a file."""

from collections.abc import Callable
from typing import TypeVar

import keyring

T = TypeVar("T")
SERVICE = "glasstape"
_session_tokens: dict[str, str] = {}
"""Tokens of this run by profile, from --token-file or entered without a keyring."""


class TokenStoreError(OSError):
    """The system's keyring cannot be used."""


def keep_for_session(profile: str, token: str) -> None:
    """Use a token for a profile until the program ends; an empty one forgets it."""
    _session_tokens.pop(profile, None)
    if token:
        _session_tokens[profile] = token


def session_token(profile: str) -> str | None:
    """Return the token that is kept in memory for a profile; None if there is none."""
    return _session_tokens.get(profile)


def read_token(profile: str) -> str | None:
    """Return the token of a profile; None if there is none. May wait for the user to unlock the keyring.

    Raises:
        TokenStoreError: the keyring cannot be used.
    """
    return session_token(profile) or _with_keyring(lambda: keyring.get_password(SERVICE, profile))


def write_token(profile: str, token: str) -> None:
    """Store the token of a profile; an empty one deletes it. May wait for the user to unlock the keyring.

    Raises:
        TokenStoreError: the keyring cannot be used.
    """

    def write() -> None:
        if token:
            keyring.set_password(SERVICE, profile, token)
        elif keyring.get_password(SERVICE, profile) is not None:
            keyring.delete_password(SERVICE, profile)

    keep_for_session(profile, "")
    _with_keyring(write)


def _with_keyring(call: Callable[[], T]) -> T:
    """Return what `call` returns.

    Raises:
        TokenStoreError: it raised anything: backends are third-party code, and are imported by their first call.
    """
    try:
        return call()
    except Exception as error:
        sentence = str(error).strip().splitlines()[0].partition(". ")[0] if str(error).strip() else ""
        raise TokenStoreError(": ".join(filter(None, (type(error).__name__, sentence)))) from error
