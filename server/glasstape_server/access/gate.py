"""Authentication and authorization of every call, in one place."""

from collections.abc import Sequence

from glasstape_server.access.audit import AuditLog
from glasstape_server.access.scopes import OPEN, REQUIRED, Scope, allows
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import GlasstapeError, PermissionDenied, Unauthenticated, Unimplemented
from glasstape_server.domain.values import ANYBODY, Principal

CHECK_SECONDS = 2.0
"""Seconds between two checks of an open stream's grant."""


class Gate:
    """Decides on every call. Without a token file, callers are not authenticated and may call everything.

    Args:
        tokens: grants of the callers; None: no authentication.
        audit: log of the decisions; None: none.
    """

    def __init__(self, tokens: TokenFile | None, audit: AuditLog | None = None) -> None:
        self._tokens = tokens
        self._audit = audit

    @property
    def closed(self) -> bool:
        """Whether callers are authenticated."""
        return self._tokens is not None

    @property
    def audited(self) -> bool:
        """Whether decisions are written to an audit log."""
        return self._audit is not None

    @property
    def last_error(self) -> str:
        """Why tokens cannot be read or the audit log cannot be written; empty: neither failed."""
        parts = (self._tokens, self._audit)
        return "; ".join(part.last_error for part in parts if part is not None and part.last_error)

    def retry_audit(self) -> None:
        """Write to the audit log what could not be written before."""
        if self._audit is not None:
            self._audit.retry()

    def admit(
        self, path: str, authorization: str, certificate_names: Sequence[str] = (), peer: str = ""
    ) -> Principal:
        """Authenticate a caller and authorize a call; return the caller.

        Args:
            path: of the method.
            authorization: the header; empty: none.
            certificate_names: names (SAN) of the client's certificate.
            peer: address of the caller, for the audit log.

        Raises:
            Unauthenticated: missing or invalid credentials.
            PermissionDenied: the caller's scopes do not include this method.
            Unimplemented: there is no such method.
        """
        try:
            principal = self._admit(path, authorization, certificate_names)
        except GlasstapeError as error:
            self._record("refused", path, peer, who=error.metadata.get("who", ""), reason=error.reason)
            raise
        self._record("admitted", path, peer, who=principal.name, id=principal.id)
        return principal

    def _admit(self, path: str, authorization: str, certificate_names: Sequence[str]) -> Principal:
        if path not in REQUIRED:
            raise Unimplemented("NOT_IMPLEMENTED", f"there is no method {path}")
        if self._tokens is None or REQUIRED[path] == OPEN:
            return ANYBODY
        principal = self._identify(self._tokens, authorization, certificate_names)
        if not allows(frozenset(Scope(scope) for scope in principal.scopes), path):
            needed, has = " or ".join(sorted(REQUIRED[path])), ", ".join(sorted(principal.scopes)) or "none"
            raise PermissionDenied(
                "SCOPE_MISSING",
                f"{path} needs the scope {needed}; {principal.name} has {has}",
                metadata={"needed": needed, "who": principal.name},
            )
        return principal

    def _identify(self, tokens: TokenFile, authorization: str, names: Sequence[str]) -> Principal:
        if authorization:
            kind, _, token = authorization.partition(" ")
            if kind.lower() != "bearer":
                raise Unauthenticated("TOKEN_MALFORMED", "authorization: must be `Bearer TOKEN`")
            return tokens.authenticate(token)
        principal = tokens.by_certificate(names) if names else None
        if principal is None:
            raise Unauthenticated("TOKEN_MISSING", "authorization: a bearer token is needed")
        return principal

    def check(self, principal: Principal, path: str, peer: str = "") -> None:
        """Check that the credentials of an open stream's caller are still valid.

        Args:
            principal: caller, as `admit` returned it.
            path: of the method.
            peer: address of the caller, for the audit log.

        Raises:
            Unauthenticated: they are not.
        """
        if self._tokens is None or principal is ANYBODY:
            return
        try:
            self._tokens.check(principal)
        except Unauthenticated as error:
            self._record("ended", path, peer, who=principal.name, id=principal.id, reason=error.reason)
            raise

    def _record(self, event: str, path: str, peer: str, **fields: str) -> None:
        if self._audit is not None and REQUIRED.get(path) != OPEN:
            self._audit.record(event, method=path[:200], peer=peer, **fields)


def check_may_explain(principal: Principal) -> None:
    """Check that a subscriber may receive heat maps.

    Raises:
        PermissionDenied: its scopes do not include them.
    """
    if principal is not ANYBODY and not principal.scopes & {Scope.EXPLAIN, Scope.ADMIN}:
        raise PermissionDenied(
            "SCOPE_MISSING",
            f"heatmap_method: needs the scope explain; {principal.name} has {', '.join(sorted(principal.scopes))}",
            metadata={"needed": "explain", "who": principal.name},
        )
