"""TLS settings and token of a profile. A keyring may fail, wait or ask, so it is never read on the GUI thread."""

import threading
from collections.abc import Callable
from pathlib import Path

from glasstape import Tls
from glasstape.textfile import read_pem, read_text

from glasstape_qt.state.preferences import Profile
from glasstape_qt.token_store import TokenStoreError, read_token, session_token


def tls_of(profile: Profile) -> Tls | None:
    """Return the TLS settings of a profile; None: plaintext.

    Raises:
        OSError: the file of certificate authorities cannot be read.
        ValueError: it is not PEM.
    """
    if not profile.tls:
        return None
    authorities = profile.root_certificates
    return Tls(root_certificates=read_pem(Path(authorities).expanduser()) if authorities else None)


def has_stored_token(profile: Profile) -> bool:
    """Return whether the token of a profile has to be read from a file or the keyring."""
    stored = profile.token or bool(profile.token_file)
    return stored and not profile.session and session_token(profile.name) is None


def read_token_in_background(profile: Profile, on_result: Callable[[str | OSError], None]) -> None:
    """Read the token of a profile; `on_result` is called on the thread with the token or the error.

    The thread is a daemon that nothing joins: a keyring may wait for its user for ever.
    """

    def read() -> None:
        try:
            on_result(_stored_token(profile))
        except OSError as error:
            on_result(error)

    threading.Thread(target=read, name="keyring", daemon=True).start()


def _stored_token(profile: Profile) -> str:
    """Return the token of a profile.

    Raises:
        TokenStoreError: the keyring cannot be used, or has no token.
        OSError: the file cannot be read, or has no token.
    """
    if profile.token_file:
        try:
            text = read_text(Path(profile.token_file).expanduser()).strip()
        except ValueError as error:
            raise OSError(str(error)) from None
        if not text:
            raise OSError(f"{profile.token_file} is empty")
        return text
    token = read_token(profile.name)
    if token is None:
        raise TokenStoreError(f"it has no token of {profile.name!r}")
    return token
