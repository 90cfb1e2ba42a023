"""Certificate files of the commands as OpenSSL loads them."""

import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glasstape.textfile import read_pem


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files of a TLS connection."""

    roots: Path | None = None
    key: Path | None = None
    chain: Path | None = None


def verifying_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the settings of a handshake with verification.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not PEM, or OpenSSL cannot use it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if files.roots is None:
        context.load_default_certs()
    else:
        with _readable(files.roots) as roots:
            _load("--root-certificates", files.roots, lambda: context.load_verify_locations(roots))
    if files.chain is not None and files.key is not None:
        # Without a password, OpenSSL would ask for one on the terminal.
        with _readable(files.chain) as chain, _readable(files.key) as key:
            flags = "--client-certificate, --client-key"
            _load(flags, files.chain, lambda: context.load_cert_chain(chain, key, password=""))
    return context


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """Yield a file that OpenSSL reads: a PEM file itself, or a temporary copy without its byte order mark, in UTF-8."""
    content = read_pem(path)
    if content == path.read_bytes():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="glasstape-") as folder:
        copy = Path(folder, "pem")
        copy.write_bytes(content)
        yield copy


def _load(flags: str, path: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise ValueError(f"{flags}: {path}: cannot be used: {error.reason or error}") from None
