"""TLS of a grpcio server, from files that are read again when they change."""

import logging
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc

log = logging.getLogger(__name__)

NOTICE_SECONDS = 14 * 86_400.0
"""How long before a certificate ends the operator is told."""
_SETTINGS = ("tls_certificate", "tls_key", "tls_client_authorities")


class Certificates:
    """A server's key and certificates, and the authorities of its clients' where they must show one."""

    def __init__(self, certificate: Path, key: Path, client_authorities: Path | None = None) -> None:
        """Read the files.

        Raises:
            ValueError: one cannot be read, is no PEM, or is a key that others may read.
        """
        self._files = [certificate, key, *([client_authorities] if client_authorities else [])]
        if key.is_file() and key.stat().st_mode & 0o077:
            raise ValueError(f"tls_key: others may read {key}; chmod 600 {key}")
        self.expires: float | None = None
        """Unix time at which the server's own certificate ends; None: that cannot be read."""
        self._trouble = ""
        self._stamp = self._stamps()
        self._current = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """What a secure port needs. Every handshake asks for the newest certificates."""
        return grpc.dynamic_ssl_server_credentials(
            self._current, self._fetch, require_client_authentication=len(self._files) > 2
        )

    def look(self) -> Iterator[str]:
        """Read the files again if they have changed; what the operator should know of them."""
        self._fetch()
        if self._trouble:
            yield f"certificates were not read again: {self._trouble}"
        if self.expires is None:
            yield f"tls_certificate: {self._files[0]}: when it ends cannot be read"
        elif (left := self.expires - time.time()) < NOTICE_SECONDS:
            day = datetime.fromtimestamp(self.expires, UTC).date()
            yield f"tls_certificate: {'ends' if left > 0 else 'ended'} on {day}"

    def _fetch(self) -> grpc.ServerCertificateConfiguration:
        """Called in every handshake: the newest certificates that are whole. Must never raise."""
        try:
            stamp = self._stamps()
            if stamp != self._stamp:
                self._current, self._stamp = self._read(), stamp
                log.info("certificates were read again")
            self._trouble = ""
        except ValueError as error:
            if str(error) != self._trouble:
                log.error("certificates were not read again: %s", error)
            self._trouble = str(error)
        return self._current

    def _stamps(self) -> list[tuple[int, int]]:
        stamps = []
        for setting, file in zip(_SETTINGS, self._files, strict=False):
            try:
                found = file.stat()
            except OSError as error:
                raise ValueError(f"{setting}: {file}: {error.strerror}") from None
            stamps.append((found.st_mtime_ns, found.st_size))
        return stamps

    def _read(self) -> grpc.ServerCertificateConfiguration:
        parts = []
        for setting, file in zip(_SETTINGS, self._files, strict=False):
            try:
                parts.append(file.read_bytes())
            except OSError as error:
                raise ValueError(f"{setting}: {file}: {error.strerror}") from None
            if b"-----BEGIN" not in parts[-1]:
                raise ValueError(f"{setting}: {file}: must be PEM")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._files[0], self._files[1])
        except OSError as error:  # of SSL, or a file is gone by now
            reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            raise ValueError(
                f"tls_key: {self._files[1]} does not fit tls_certificate {self._files[0]}: {reason}"
            ) from None
        self.expires = _end_of(parts[0])
        authorities = parts[2] if len(parts) > 2 else None
        return grpc.ssl_server_certificate_configuration([(parts[1], parts[0])], authorities)


def _end_of(chain: bytes) -> float | None:
    """End of the first certificate, which is the server's own: what signed it may be older than is needed."""
    from cryptography import x509  # a server without TLS starts sooner without it

    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError as error:
        log.warning("the end of the server's certificate cannot be read: %s", error)
        return None
