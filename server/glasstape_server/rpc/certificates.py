"""TLS of a grpcio server, from files that are read again when they change."""

import logging
from pathlib import Path

import grpc

log = logging.getLogger(__name__)


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
        self._stamp = self._stamps()
        self._current = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """What a secure port needs. Every handshake asks for the newest certificates."""
        return grpc.dynamic_ssl_server_credentials(
            self._current, self._fetch, require_client_authentication=len(self._files) > 2
        )

    def _fetch(self) -> grpc.ServerCertificateConfiguration:
        """Called in every handshake: the newest certificates that are whole. Must never raise."""
        try:
            stamp = self._stamps()
            if stamp != self._stamp:
                self._current, self._stamp = self._read(), stamp
                log.info("certificates were read again")
        except ValueError as error:
            log.error("certificates were not read again: %s", error)
        return self._current

    def _stamps(self) -> list[tuple[int, int]]:
        try:
            return [(found.st_mtime_ns, found.st_size) for found in map(Path.stat, self._files)]
        except OSError as error:
            raise ValueError(str(error)) from None

    def _read(self) -> grpc.ServerCertificateConfiguration:
        try:
            parts = [file.read_bytes() for file in self._files]
        except OSError as error:
            raise ValueError(str(error)) from None
        for file, part in zip(self._files, parts, strict=True):
            if b"-----BEGIN" not in part:
                raise ValueError(f"{file}: must be PEM")
        authorities = parts[2] if len(parts) > 2 else None
        return grpc.ssl_server_certificate_configuration([(parts[1], parts[0])], authorities)
