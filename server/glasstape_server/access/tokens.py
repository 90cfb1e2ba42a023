"""Bearer tokens and client certificates: who they belong to and what they are allowed.

A token is `glt_ID_SECRET`. The secret has 256 random bits, so a plain SHA-256 of it is kept and no more; it is
shown once. The file is read again when it changes, so that a token that is revoked ends within seconds.
"""

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import ConfigDict, TypeAdapter, ValidationError

from glasstape_server.access.scopes import Scope
from glasstape_server.domain.errors import Unauthenticated
from glasstape_server.domain.values import Principal
from glasstape_server.storage import files

log = logging.getLogger(__name__)

PREFIX = "glt"
LOOK_SECONDS = 1.0
"""Longest time for which a change of the file goes unnoticed."""
UNREADABLE_SECONDS = 30.0
"""Time after which a file that cannot be read any more lets nobody in: it may have been changed to say so."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of the file."""

    id: str
    name: str
    """Whose it is, for people."""
    scopes: tuple[Scope, ...]
    digest: str = ""
    """SHA-256 of the secret, hex; empty for a certificate."""
    certificate: str = ""
    """A name (SAN) of a client certificate that stands for a token."""
    created: float = 0.0
    expires: float = 0.0
    """Unix time; 0: never."""

    def principal(self) -> Principal:
        """Who calls with it."""
        return Principal(self.id, self.name, frozenset(self.scopes), self.expires)


class TokenFile:
    """The grants of a server, in a JSON file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        """Read it; a file that is not there has no grants.

        Raises:
            ValueError: it is none, or others may read it.
        """
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._looked = 0.0
        self._grants: dict[str, Grant] = {}
        self._unread_since: float | None = None
        self.trouble = ""
        """Why the file cannot be read; empty: it can."""
        self._read()

    def grants(self) -> Sequence[Grant]:
        """All of them, oldest first."""
        self._look()
        return sorted(self._grants.values(), key=lambda grant: grant.created)

    def authenticate(self, token: str) -> Principal:
        """Who a token belongs to.

        Raises:
            Unauthenticated: nobody, or it is no longer good.
        """
        self._look()
        prefix, _, rest = token.partition("_")
        identity, _, secret = rest.partition("_")
        grant = self._grants.get(identity)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        if (
            prefix != PREFIX
            or grant is None
            or not hmac.compare_digest(digest.encode(), grant.digest.encode())
        ):
            raise Unauthenticated("TOKEN_UNKNOWN", "the bearer token is not known here")
        return self._still_good(grant)

    def by_certificate(self, names: Sequence[str]) -> Principal | None:
        """Who a client certificate with these names belongs to; None: nobody.

        Raises:
            Unauthenticated: it is no longer good.
        """
        self._look()
        found = (grant for grant in self._grants.values() if grant.certificate and grant.certificate in names)
        grant = next(found, None)
        return None if grant is None else self._still_good(grant)

    def check(self, principal: Principal) -> None:
        """Raise Unauthenticated once a caller's grant was revoked, has expired, or was narrowed."""
        self._look()
        grant = self._grants.get(principal.id)
        if grant is None:
            raise Unauthenticated("TOKEN_REVOKED", f"the token of {principal.name} was revoked")
        if self._still_good(grant).scopes != principal.scopes:
            raise Unauthenticated("TOKEN_CHANGED", f"the scopes of {principal.name} were changed; call again")

    def create(
        self, name: str, scopes: Sequence[Scope], *, expires: float = 0.0, certificate: str = ""
    ) -> tuple[Grant, str]:
        """Add a grant; returns it with its token, which is nowhere else (empty for a certificate)."""
        secret = "" if certificate else secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode()).hexdigest() if secret else ""
        identity = secrets.token_hex(6)
        grant = Grant(identity, name, tuple(scopes), digest, certificate, time.time(), expires)
        with self._changing():
            self._write({**self._grants, grant.id: grant})
        return grant, f"{PREFIX}_{grant.id}_{secret}" if secret else ""

    def revoke(self, identity: str) -> Grant:
        """Remove a grant.

        Raises:
            ValueError: there is no such grant.
        """
        with self._changing():
            if identity not in self._grants:
                known = ", ".join(self._grants) or "none"
                raise ValueError(f"id: must be one of {known}, is {identity!r}")
            grant = self._grants[identity]
            self._write({key: kept for key, kept in self._grants.items() if key != identity})
        return grant

    @staticmethod
    def _still_good(grant: Grant) -> Principal:
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

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        now = self._looked = time.monotonic()
        try:
            self._read()
        except (ValueError, OSError) as error:
            if not self.trouble:
                log.error("%s; what was read before stays good for %.0f s", error, UNREADABLE_SECONDS)
            self.trouble = str(error)
            self._unread_since = self._unread_since or now
            if now - self._unread_since >= UNREADABLE_SECONDS:
                self._grants = {}
        else:
            self.trouble, self._unread_since = "", None

    def _read(self) -> None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._grants = None, {}
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._stamp:
            return
        if found.st_mode & 0o077:
            raise ValueError(f"{self.path}: others may read it; chmod 600 {self.path}")
        try:
            grants = _ROWS.validate_json(self.path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            rule = f"{where}: {first['msg']}" if where else first["msg"]
            raise ValueError(f"{self.path}: is no file of tokens: {rule}") from None
        self._grants = {grant.id: grant for grant in grants}
        self._stamp = stamp

    def _write(self, grants: dict[str, Grant]) -> None:
        files.write(
            self.path, json.dumps([asdict(grant) for grant in grants.values()], indent=1), mode=files.PRIVATE
        )
        self._read()


_ROWS = TypeAdapter(list[Grant], config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
