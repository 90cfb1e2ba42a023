"""TLS of the grpcio server, from files that are reloaded when they change."""

import logging
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
from glasstape.textfile import read_pem

from glasstape_server.storage import files
from glasstape_server.transport.tls_connections import TlsConnections

log = logging.getLogger(__name__)

NOTICE_SECONDS = 14 * 86_400.0
"""Remaining validity below which the operator is warned."""
_SETTINGS = ("tls_certificate", "tls_key", "tls_client_authorities")


class Certificates:
    """The server's key and certificate chain, and the authorities of client certificates where they are required."""

    def __init__(self, certificate: Path, key: Path, client_authorities: Path | None = None) -> None:
        """Read the files.

        Raises:
            ValueError: a file cannot be read or is not PEM, or others may read the key.
        """
        self._files = [certificate, key, *([client_authorities] if client_authorities else [])]
        if key.is_file():
            files.check_secret(key, "tls_key: ")
        self.expires: float | None = None
        """Unix time at which the server's own certificate expires; None: unknown."""
        self.connections = TlsConnections()
        self._last_error = ""
        self._stamp = self._stamps()
        self._current = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of a secure port. Every handshake uses the newest certificates."""
        return grpc.dynamic_ssl_server_credentials(
            self._current, self._fetch_for_handshake, require_client_authentication=self.requires_client
        )

    @property
    def requires_client(self) -> bool:
        """Whether clients must present a certificate."""
        return len(self._files) > 2

    def context(self) -> ssl.SSLContext:
        """Return the certificates for a server other than gRPC's. Every handshake uses the newest ones."""
        self._context, outer = self._new_context(), self._new_context()
        stamp = self._stamp

        def select(handshake: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            nonlocal stamp
            self._reload()
            if stamp != self._stamp:
                self._context, stamp = self._new_context(), self._stamp
            handshake.context = self._context

        outer.sni_callback = select
        return outer

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate, key, *_ = self._files
        context.load_cert_chain(certificate, key)
        return context

    def warnings(self) -> Iterator[str]:
        """Reload files that have changed, and return warnings for the operator."""
        self._reload()
        if self._last_error:
            yield f"certificates were not reloaded: {self._last_error}"
        if self.expires is None:
            yield f"tls_certificate: {self._files[0]}: its expiry cannot be read"
        elif (left := self.expires - time.time()) < NOTICE_SECONDS:
            day = datetime.fromtimestamp(self.expires, UTC).date()
            yield f"tls_certificate: {'expires' if left > 0 else 'expired'} on {day}"

    def _fetch_for_handshake(self) -> grpc.ServerCertificateConfiguration:
        """Return the newest valid certificates. grpc calls this in every handshake; it must never raise."""
        self.connections.handshake_began()
        self._reload()
        return self._current

    def _reload(self) -> None:
        """Read files that have changed; invalid ones leave the certificates as they are."""
        try:
            stamp = self._stamps()
            if stamp != self._stamp:
                self._current, self._stamp = self._read(), stamp
                log.info("certificates were reloaded")
            self._last_error = ""
        except ValueError as error:
            if str(error) != self._last_error:
                log.error("certificates were not reloaded: %s", error)
            self._last_error = str(error)

    def _stamps(self) -> list[files.Stamp]:
        stamps = []
        for setting, file in zip(_SETTINGS, self._files, strict=False):
            try:
                stamps.append(files.stamp_of(file))
            except OSError as error:
                raise ValueError(f"{setting}: {file}: {error.strerror}") from None
        return stamps

    def _read(self) -> grpc.ServerCertificateConfiguration:
        parts = []
        for setting, file in zip(_SETTINGS, self._files, strict=False):
            try:
                parts.append(read_pem(file))
            except OSError as error:
                raise ValueError(f"{setting}: {file}: {error.strerror}") from None
            except ValueError as error:
                raise ValueError(f"{setting}: {error}") from None
        if reason := self._mismatch(parts[0], parts[1]):
            raise ValueError(
                f"tls_key: {self._files[1]} does not match tls_certificate {self._files[0]}: {reason}"
            )
        self.expires = _expiry_of(parts[0])
        authorities = parts[2] if len(parts) > 2 else None
        return grpc.ssl_server_certificate_configuration([(parts[1], parts[0])], authorities)

    def _mismatch(self, chain: bytes, key: bytes) -> str:
        """Return why chain and key do not belong together; empty: they do."""
        chain_file, key_file = self._files[:2]
        try:
            if (chain_file.read_bytes(), key_file.read_bytes()) != (chain, key):
                return _mismatch_of_keys(chain, key)  # OpenSSL reads files, and no byte order mark
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain_file, key_file)
        except OSError as error:  # an SSL error, or the file was removed
            return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or str(error)
        return ""


def _mismatch_of_keys(chain: bytes, key: bytes) -> str:
    """Return why a chain and a key do not belong together; empty: they do."""
    from cryptography import x509  # slow to import, and needed with TLS only
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
        if load_pem_private_key(key, None).public_key() != certificate.public_key():
            return "the public keys differ"
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return str(error).partition("\n")[0]
    return ""


def _expiry_of(chain: bytes) -> float | None:
    """Return the expiry of the first certificate, the server's own; those that signed it do not count."""
    from cryptography import x509  # slow to import, and needed with TLS only

    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError as error:
        log.warning("the expiry of the server's certificate cannot be read: %s", error)
        return None
