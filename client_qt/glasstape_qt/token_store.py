"""Tokens of server profiles, stored in the system's keyring and never in a file."""

import keyring
import keyring.errors

SERVICE = "glasstape"


def read_token(profile: str) -> str | None:
    """Return the token of a profile; None if there is none.

    Raises:
        OSError: the keyring cannot be used.
    """
    try:
        return keyring.get_password(SERVICE, profile)
    except keyring.errors.KeyringError as error:
        raise OSError(str(error) or type(error).__name__) from None


def write_token(profile: str, token: str) -> None:
    """Store the token of a profile; an empty one deletes it.

    Raises:
        OSError: the keyring cannot be used.
    """
    try:
        if token:
            keyring.set_password(SERVICE, profile, token)
        elif keyring.get_password(SERVICE, profile) is not None:
            keyring.delete_password(SERVICE, profile)
    except keyring.errors.KeyringError as error:
        raise OSError(str(error) or type(error).__name__) from None
