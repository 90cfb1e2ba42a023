"""Credentials of sources: from a file, environment variables or the key ring, never from a command line.

    credentials = read_credentials("alpaca", {"key": "APCA_API_KEY_ID", "secret": "APCA_API_SECRET_KEY"}, None)
    client = connect(credentials["key"], credentials["secret"])

The key ring needs the package `keyring`; its service is `glasstape-SOURCE`, its user name the variable's name:

    keyring set glasstape-alpaca APCA_API_SECRET_KEY
"""

import argparse
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from glasstape.sources.errors import CredentialsError
from glasstape.textfile import decode_text

MASK = "***"
"""Written in place of a credential."""
LONGEST_FILE = 65_536
"""Bytes of a credentials file."""


class Credentials(Mapping[str, str]):
    """Credentials by name; its text shows names alone. Immutable."""

    def __init__(self, source: str, values: Mapping[str, str]) -> None:
        self._source = source
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<credentials of {self._source}: {', '.join(self._values) or 'none'}>"

    def redact(self, text: object) -> str:
        """Return a text with every credential in it replaced by `***`."""
        redacted = str(text)
        for value in sorted(self._values.values(), key=len, reverse=True):
            redacted = redacted.replace(value, MASK)
        return redacted


def add_credentials_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--credentials FILE`, whose value `read_credentials` takes."""
    parser.add_argument(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="file of NAME=value lines with mode 0600 (default: environment variables, then the key ring)",
    )


def read_credentials(
    source: str, variables: Mapping[str, str], file: Path | None = None, *, required: bool = True
) -> Credentials:
    """Return credentials from a file, or else from environment variables, or else from the key ring.

    Each credential comes from the first place that has it; a given file is the only place.

    Args:
        source: name of the source, part of the key ring's service name.
        variables: name of the environment variable of each credential, also its name in file and key ring.
        file: file of `NAME=value` lines; None: environment and key ring.
        required: False returns an empty mapping if none of the credentials is found.

    Raises:
        CredentialsError: a credential is missing, or the file is readable by others, missing or malformed.
    """
    if file is not None:
        found, places = _read_file(file), str(file)
    else:
        found = {name: os.environ[name] for name in variables.values() if os.environ.get(name)}
        missing = [name for name in variables.values() if name not in found]
        if missing:
            found |= _read_key_ring(source, missing)
        places = f"the environment and the key ring (service glasstape-{source})"
    values = {key: found[name] for key, name in variables.items() if found.get(name)}
    missing = [name for key, name in variables.items() if key not in values]
    if missing and (values or required):
        raise CredentialsError(f"credentials of {source}: {', '.join(missing)} not found in {places}")
    return Credentials(source, values)


def _read_file(file: Path) -> dict[str, str]:
    """Return the `NAME=value` lines of a file that no other user can read.

    Raises:
        CredentialsError: it is missing, malformed, too long or readable by others.
    """
    try:
        with file.open("rb") as stream:
            _check_mode(file, os.fstat(stream.fileno()))
            data = stream.read(LONGEST_FILE + 1)
    except OSError as error:
        raise CredentialsError(f"credentials file {file}: {error.strerror or error}") from None
    if len(data) > LONGEST_FILE:
        raise CredentialsError(f"credentials file {file}: longer than {LONGEST_FILE} bytes")
    try:
        text = decode_text(data, file)
    except ValueError as error:
        raise CredentialsError(f"credentials file {error}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.removeprefix("export ").partition("=")
        if not separator or not name.strip().isidentifier():
            raise CredentialsError(f"credentials file {file}, line {number}: expected NAME=value")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _check_mode(file: Path, status: os.stat_result) -> None:
    """Check that only its owner can read a file.

    Raises:
        CredentialsError: other users can read it, or it is a directory or device.
    """
    if not stat.S_ISREG(status.st_mode):
        raise CredentialsError(f"credentials file {file}: not a regular file")
    mode = stat.S_IMODE(status.st_mode)
    if sys.platform != "win32" and mode & 0o077:
        raise CredentialsError(
            f"credentials file {file}: mode {mode:04o} lets other users read it, expected 0600; "
            f"run: chmod 600 {file}"
        )


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _read_key_ring(source: str, names: list[str]) -> dict[str, str]:
    """Return credentials from the key ring; empty without the package `keyring` or a key ring.

    Raises:
        CredentialsError: the key ring is locked or fails.
    """
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return {}
    service = f"glasstape-{source}"
    try:
        found = {name: keyring.get_password(service, name) for name in names}
    except keyring.errors.NoKeyringError:
        return {}
    except keyring.errors.KeyringError as error:
        raise CredentialsError(
            f"credentials of {source}: the key ring cannot be read: {type(error).__name__}"
        ) from None
    return {name: value for name, value in found.items() if value}
