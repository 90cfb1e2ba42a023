"""Tokens live in the key ring of the system, never in a file of ours."""

import keyring
import keyring.errors

SERVICE = "glasstape"


def read(profile: str) -> str | None:
    """The token of a profile; None if there is none.

    Raises:
        OSError: the key ring cannot be used.
    """
    try:
        return keyring.get_password(SERVICE, profile)
    except keyring.errors.KeyringError as error:
        raise OSError(str(error) or type(error).__name__) from None


def write(profile: str, token: str) -> None:
    """Keep a token; an empty one is deleted.

    Raises:
        OSError: the key ring cannot be used.
    """
    try:
        if token:
            keyring.set_password(SERVICE, profile, token)
        elif keyring.get_password(SERVICE, profile) is not None:
            keyring.delete_password(SERVICE, profile)
    except keyring.errors.KeyringError as error:
        raise OSError(str(error) or type(error).__name__) from None
