"""PEM texts of a TLS connection, parsed when they are passed: gRPC reports a text that it cannot use as an outage."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.errors import InvalidRequestError
from glasstape.textfile import decode_text

if TYPE_CHECKING:
    import ssl

_RULE = "must be the bytes of a PEM file"
_CERTIFICATE = r"(?:X509 )?CERTIFICATE"
_KEY = r"(?:[A-Z0-9]+ )*PRIVATE KEY"


def certificates(value: object, field: str) -> bytes:
    """Return the certificates of a PEM text, without what stands between them.

    Args:
        value: the bytes of a file, in any encoding that `textfile` reads.
        field: of the value, for the error.

    Raises:
        InvalidRequestError: there is none, or one cannot be read.
    """
    import ssl

    blocks = _blocks(value, field, _CERTIFICATE, "certificate")
    for number, block in enumerate(blocks, 1):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=block)
        except (ssl.SSLError, ValueError, TypeError):
            raise InvalidRequestError.field(
                field, f"{_RULE}, certificate {number} of {len(blocks)} is damaged"
            ) from None
    return "".join(blocks).encode()


def private_key(value: object, field: str) -> bytes:
    """Return the private key of a PEM text.

    Args:
        value: the bytes of a file, in any encoding that `textfile` reads.
        field: of the value, for the error.

    Raises:
        InvalidRequestError: there is not exactly one, or it is encrypted.
    """
    blocks = _blocks(value, field, _KEY, "private key")
    if len(blocks) > 1:
        raise InvalidRequestError.field(field, f"{_RULE} with one private key, has {len(blocks)}")
    if "ENCRYPTED" in blocks[0]:
        rule = "must not be encrypted: gRPC asks for no passphrase; write it without one (openssl pkey)"
        raise InvalidRequestError.field(field, rule)
    return blocks[0].encode()


def check_pair(chain: bytes, key: bytes) -> None:
    """Check that a private key belongs to the first certificate of a chain.

    Raises:
        InvalidRequestError: it does not, or it cannot be read.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        load_pair(context, chain, key)
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            rule = "must belong to the first certificate of tls.client_certificates, belongs to another"
        else:
            rule = f"{_RULE}, the private key is damaged"
        raise InvalidRequestError.field("tls.client_key", rule) from None


def load_pair(context: "ssl.SSLContext", chain: bytes, key: bytes) -> None:
    """Make a context present a client's certificate.

    Raises:
        ssl.SSLError: OpenSSL cannot use them.
    """
    context.set_ciphers("ALL:@SECLEVEL=0")  # gRPC takes short keys
    with _as_file(chain) as certificate_file, _as_file(key) as key_file:
        context.load_cert_chain(certificate_file, key_file, password="")


def _blocks(value: object, field: str, label: str, kind: str) -> list[str]:
    """Return the blocks with a label, each with a line feed at its end.

    Raises:
        InvalidRequestError: the value is no text, or has no complete block.
    """
    if not isinstance(value, bytes):
        raise InvalidRequestError.field(field, f"{_RULE}, is {type(value).__name__}")
    try:
        text = decode_text(value, field)
    except ValueError as error:
        raise InvalidRequestError.field(field, f"{_RULE}: {str(error).removeprefix(f'{field}: ')}") from None
    lines = "\n".join(text.splitlines())
    begun = len(re.findall(rf"-----BEGIN {label}-----", lines))
    blocks = re.finditer(rf"-----BEGIN ({label})-----\n.*?\n-----END \1-----", lines, re.DOTALL)
    complete = [f"{block[0]}\n" for block in blocks]
    if not begun or len(complete) != begun:
        raise InvalidRequestError.field(field, f"{_RULE}, has {'an incomplete' if begun else 'no'} {kind}")
    return complete


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Yield the path of a file with some content, which is in memory where the system has such files.

    The module `ssl` reads keys from files only.
    """
    if sys.platform == "linux" and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("glasstape")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "pem")
            file.write_bytes(content)
            yield str(file)
