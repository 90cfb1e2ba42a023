"""Grants of bearer tokens and client certificates, in a file.

A token is `glt_ID_SECRET`. Only the SHA-256 of the secret is stored, unsalted because the secret has 256 random bits.
The file is reloaded when it changes, so that a revoked token stops working within seconds and a new one works at once.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock
from glasstape.textfile import read_text
from pydantic import ConfigDict, TypeAdapter, ValidationError

from glasstape_server.access.scopes import Scope
from glasstape_server.domain.calls import Principal
from glasstape_server.domain.errors import Unauthenticated
from glasstape_server.storage import files

log = logging.getLogger(__name__)

PREFIX = "glt"
POLL_INTERVAL_S = 1.0
"""Time within which a change of the file takes effect."""
REFRESH_INTERVAL_S = 0.1
"""Least time between two looks at the file for unknown tokens, however many arrive."""
UNREADABLE_LIMIT_S = 30.0
"""Time after which all grants of an unreadable file are void: the change may have revoked them."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Row of the file."""

    id: str
    name: str
    """Owner of the token or certificate."""
    scopes: tuple[Scope, ...]
    digest: str = ""
    """SHA-256 of the secret, hex; empty for a certificate."""
    certificate: str = ""
    """Name (SAN) of a client certificate that is accepted instead of a token."""
    created: float = 0.0
    """Unix time."""
    expires: float = 0.0
    """Unix time; 0 means no expiry."""

    def principal(self) -> Principal:
        """Return the caller that the grant identifies."""
        return Principal(self.id, self.name, frozenset(self.scopes), self.expires)


class TokenFile:
    """Grants of a server, in a JSON file that other users must not read; see `files.check_secret`."""

    def __init__(
        self,
        path: Path,
        *,
        poll_interval: float = POLL_INTERVAL_S,
        unreadable_limit: float = UNREADABLE_LIMIT_S,
    ) -> None:
        """Load a file; a missing file has no grants.

        Args:
            path: of the file.
            poll_interval: seconds between checks for changes.
            unreadable_limit: seconds after which the grants of an unreadable file are void.

        Raises:
            ValueError: the file is invalid, or other users may read it.
        """
        self.path = path
        self._poll_interval = poll_interval
        self._unreadable_limit = unreadable_limit
        self._stamp: files.Stamp | None = None
        self._polled = float("-inf")
        self._grants: dict[str, Grant] = {}
        self._unreadable_since: float | None = None
        self._lock = threading.Lock()
        """Held while the file is read: `refresh` reads it on another thread."""
        self._refresh: asyncio.Task[None] | None = None
        """The look at the file that has not begun yet."""
        self.last_error = ""
        """Why the file cannot be read; empty while it can."""
        self._read()

    def grants(self) -> Sequence[Grant]:
        """Return all grants, oldest first."""
        self._poll()
        return sorted(self._grants.values(), key=lambda grant: grant.created)

    def knows(self, token: str, certificate_names: Sequence[str] = ()) -> bool:
        """Return whether the grants read last have the id of a token, or without one any of these names.

        The secret is not checked.
        """
        if token:
            return _parts(token)[1] in self._grants
        return self._grant_of_certificate(certificate_names) is not None

    async def poll(self) -> None:
        """Read the file if it has changed, on another thread; to be called again and again, with and without calls."""
        self._polled = time.monotonic()
        await asyncio.to_thread(self._load)

    async def refresh(self) -> None:
        """Look at the file once more, and read it if it has changed, on another thread.

        Callers that wait at the same time share one look, which begins after each of them called, and no earlier than
        `REFRESH_INTERVAL_S` after the last one.
        """
        if self._refresh is None:
            self._refresh = asyncio.create_task(self._refresh_in_turn())
        await asyncio.shield(self._refresh)

    async def _refresh_in_turn(self) -> None:
        await asyncio.sleep(self._polled + REFRESH_INTERVAL_S - time.monotonic())
        self._refresh = None  # later callers need a later look
        self._polled = time.monotonic()
        await asyncio.to_thread(self._load)

    def authenticate(self, token: str) -> Principal:
        """Return the owner of a token.

        Raises:
            Unauthenticated: the token is unknown or has expired.
        """
        self._poll()
        prefix, identity, secret = _parts(token)
        grant = self._grants.get(identity)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        if (
            prefix != PREFIX
            or grant is None
            or not hmac.compare_digest(digest.encode(), grant.digest.encode())
        ):
            raise Unauthenticated("TOKEN_UNKNOWN", "authorization: the bearer token is unknown")
        return self._unexpired(grant)

    def authenticate_certificate(self, names: Sequence[str]) -> Principal | None:
        """Return the owner of a client certificate with these names; None if no grant has one of them.

        Raises:
            Unauthenticated: the grant has expired.
        """
        self._poll()
        grant = self._grant_of_certificate(names)
        return None if grant is None else self._unexpired(grant)

    def check(self, principal: Principal) -> None:
        """Check that a caller's grant is still valid.

        Raises:
            Unauthenticated: it was revoked or changed, or has expired.
        """
        self._poll()
        grant = self._grants.get(principal.id)
        if grant is None:
            raise Unauthenticated("TOKEN_REVOKED", f"the token of {principal.name} was revoked")
        if self._unexpired(grant).scopes != principal.scopes:
            raise Unauthenticated("TOKEN_CHANGED", f"the scopes of {principal.name} were changed; reconnect")

    def create(
        self, name: str, scopes: Sequence[Scope], *, expires: float = 0.0, certificate: str = ""
    ) -> tuple[Grant, str]:
        """Add a grant; return it with its token, which is not stored (empty for a certificate).

        Args:
            name: of the owner.
            scopes: to grant.
            expires: Unix time; 0 means no expiry.
            certificate: name (SAN) of a client certificate to accept instead of a token.

        Raises:
            ValueError: the file is invalid, or other users may read it.
            OSError: the file cannot be written.
        """
        secret = "" if certificate else secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode()).hexdigest() if secret else ""
        identity = secrets.token_hex(6)
        grant = Grant(identity, name, tuple(scopes), digest, certificate, time.time(), expires)
        with self._changing():
            self._write({**self._grants, grant.id: grant})
        return grant, f"{PREFIX}_{grant.id}_{secret}" if secret else ""

    def revoke(self, identity: str) -> Grant:
        """Remove a grant, given by its id, and return it.

        Raises:
            ValueError: there is no such grant.
        """
        with self._changing():
            if identity not in self._grants:
                known = ", ".join(self._grants) or "none"
                raise ValueError(f"id: must be one of {known}, is {identity!r}")
            grant = self._grants[identity]
            self._write({key: other for key, other in self._grants.items() if key != identity})
        return grant

    def _grant_of_certificate(self, names: Sequence[str]) -> Grant | None:
        grants = self._grants.values()
        return next((grant for grant in grants if grant.certificate and grant.certificate in names), None)

    @staticmethod
    def _unexpired(grant: Grant) -> Principal:
        if grant.expires and time.time() >= grant.expires:
            raise Unauthenticated(
                "TOKEN_EXPIRED", f"the token of {grant.name} has expired", metadata={"who": grant.name}
            )
        return grant.principal()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(self.path.name + ".lock"), timeout=10):
            self._read()
            yield

    def _poll(self) -> None:
        now = time.monotonic()
        if now - self._polled < self._poll_interval:
            return
        self._polled = now
        self._load()

    def _load(self) -> None:
        """Read the file if it has changed. Grants of an unreadable file stay valid for a while."""
        now = time.monotonic()
        try:
            self._read()
        except (ValueError, OSError) as error:
            if not self.last_error:
                log.error("%s; the grants loaded before stay valid for %.0f s", error, self._unreadable_limit)
            self.last_error = str(error)
            self._unreadable_since = self._unreadable_since or now
            if now - self._unreadable_since >= self._unreadable_limit:
                self._grants = {}
        else:
            self.last_error, self._unreadable_since = "", None

    def _read(self) -> None:
        with self._lock:
            self._read_changes()

    def _read_changes(self) -> None:
        try:
            stamp = files.stamp_of(self.path)
        except FileNotFoundError:
            self._stamp, self._grants = None, {}
            return
        if stamp == self._stamp:
            return
        files.check_secret(self.path)
        try:
            grants = _ROWS.validate_json(read_text(self.path))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            rule = f"{where}: {first['msg']}" if where else first["msg"]
            raise ValueError(f"{self.path}: invalid token file: {rule}") from None
        self._grants = {grant.id: grant for grant in grants}
        self._stamp = stamp

    def _write(self, grants: dict[str, Grant]) -> None:
        files.write(
            self.path, json.dumps([asdict(grant) for grant in grants.values()], indent=1), mode=files.PRIVATE
        )
        self._read()


def _parts(token: str) -> tuple[str, str, str]:
    """Return prefix, id and secret of a token; what is missing is empty."""
    prefix, _, rest = token.partition("_")
    identity, _, secret = rest.partition("_")
    return prefix, identity, secret


_ROWS = TypeAdapter(list[Grant], config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
