"""Authentication and authorization of every call."""

from collections.abc import Sequence

from glasstape_server.access.audit import AuditLog
from glasstape_server.access.scopes import OPEN, REQUIRED, Scope, allows
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.calls import ANONYMOUS, Principal
from glasstape_server.domain.errors import GlasstapeError, PermissionDenied, Unauthenticated, Unimplemented

CHECK_SECONDS = 2.0
"""Interval at which the grant of an open stream is rechecked."""


class Authorizer:
    """Authorizes calls against a token file. Without one, every call is admitted.

    Args:
        tokens: grants of the callers; None for no authentication.
        audit: log of the decisions; None for no log.
    """

    def __init__(self, tokens: TokenFile | None, audit: AuditLog | None = None) -> None:
        self._tokens = tokens
        self._audit = audit

    @property
    def requires_credentials(self) -> bool:
        """Whether callers must present a token or a client certificate."""
        return self._tokens is not None

    @property
    def audited(self) -> bool:
        """Whether calls are written to an audit log."""
        return self._audit is not None

    @property
    def last_error(self) -> str:
        """Why tokens cannot be read or the audit log cannot be written; empty while both work."""
        files = (self._tokens, self._audit)
        return "; ".join(file.last_error for file in files if file is not None and file.last_error)

    async def poll(self) -> None:
        """Read the token file if it has changed, and retry failed writes of the audit log."""
        if self._tokens is not None:
            await self._tokens.poll()
        if self._audit is not None:
            self._audit.retry()

    async def refresh(self, path: str, authorization: str, certificate_names: Sequence[str] = ()) -> None:
        """Reload the grants if they lack the caller's, so that a new token works at once; see `TokenFile.refresh`.

        Args:
            path: of the method.
            authorization: value of the header of that name; empty if absent.
            certificate_names: names in the client's certificate.
        """
        if self._tokens is None or REQUIRED.get(path, OPEN) == OPEN:
            return
        token = authorization.partition(" ")[2]
        if (token or certificate_names) and not self._tokens.knows(token, certificate_names):
            await self._tokens.refresh()

    def authorize(
        self, path: str, authorization: str, certificate_names: Sequence[str] = (), peer: str = ""
    ) -> Principal:
        """Return the caller of a method, once authenticated and authorized.

        Args:
            path: of the method.
            authorization: value of the header of that name; empty if absent.
            certificate_names: names in the client's certificate.
            peer: address of the client, for the audit log.

        Raises:
            Unauthenticated: credentials are missing or invalid.
            PermissionDenied: the caller lacks a scope that the method requires.
            Unimplemented: there is no such method.
            GlasstapeError: base class of these.
        """
        try:
            principal = self._authorize(path, authorization, certificate_names)
        except GlasstapeError as error:
            self._audit_call("refused", path, peer, who=error.metadata.get("who", ""), reason=error.reason)
            raise
        self._audit_call("admitted", path, peer, who=principal.name, id=principal.id)
        return principal

    def _authorize(self, path: str, authorization: str, certificate_names: Sequence[str]) -> Principal:
        if path not in REQUIRED:
            raise Unimplemented("NOT_IMPLEMENTED", f"there is no method {path}")
        if self._tokens is None or REQUIRED[path] == OPEN:
            return ANONYMOUS
        principal = self._identify(self._tokens, authorization, certificate_names)
        if not allows(frozenset(Scope(scope) for scope in principal.scopes), path):
            required = " or ".join(sorted(REQUIRED[path]))
            granted = ", ".join(sorted(principal.scopes)) or "none"
            raise PermissionDenied(
                "SCOPE_MISSING",
                f"{path} requires the scope {required}; {principal.name} has {granted}",
                metadata={"needed": required, "who": principal.name},
            )
        return principal

    def _identify(self, tokens: TokenFile, authorization: str, names: Sequence[str]) -> Principal:
        if authorization:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("TOKEN_MALFORMED", "authorization: must be `Bearer TOKEN`")
            return tokens.authenticate(token)
        principal = tokens.authenticate_certificate(names) if names else None
        if principal is None:
            raise Unauthenticated("TOKEN_MISSING", "authorization: a bearer token is required")
        return principal

    def recheck(self, principal: Principal, path: str, peer: str = "") -> None:
        """Check that the grant of an open stream is still valid.

        Args:
            principal: caller, as `authorize` returned it.
            path: of the method.
            peer: address of the client, for the audit log.

        Raises:
            Unauthenticated: it was revoked or narrowed, or has expired.
        """
        if self._tokens is None or principal is ANONYMOUS:
            return
        try:
            self._tokens.check(principal)
        except Unauthenticated as error:
            self._audit_call("ended", path, peer, who=principal.name, id=principal.id, reason=error.reason)
            raise

    def _audit_call(self, event: str, path: str, peer: str, **fields: str) -> None:
        if self._audit is not None and REQUIRED.get(path) != OPEN:
            self._audit.record(event, method=path[:200], peer=peer, **fields)


def check_may_explain(principal: Principal) -> None:
    """Check that a subscriber may receive heat maps with the signals.

    Raises:
        PermissionDenied: the scope explain is missing.
    """
    if principal is not ANONYMOUS and not principal.scopes & {Scope.EXPLAIN, Scope.ADMIN}:
        granted = ", ".join(sorted(principal.scopes))
        raise PermissionDenied(
            "SCOPE_MISSING",
            f"heatmap_method: requires the scope explain; {principal.name} has {granted}",
            metadata={"needed": "explain", "who": principal.name},
        )
