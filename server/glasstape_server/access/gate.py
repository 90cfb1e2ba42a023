"""The one place where a call is let in: who calls, and may he do that?"""

from collections.abc import Sequence

from glasstape_server.access.audit import AuditLog
from glasstape_server.access.scopes import OPEN, REQUIRED, Scope, allows
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import GlasstapeError, PermissionDenied, Unauthenticated, Unimplemented
from glasstape_server.domain.values import ANYBODY, Principal

CHECK_SECONDS = 2.0
"""How often an open stream's grant is looked at again."""


class Gate:
    """Decides on every call. Without a token file everybody on this machine may do everything."""

    def __init__(self, tokens: TokenFile | None, audit: AuditLog | None = None) -> None:
        self._tokens = tokens
        self._audit = audit

    @property
    def closed(self) -> bool:
        """Whether callers must prove who they are."""
        return self._tokens is not None

    @property
    def audited(self) -> bool:
        """Whether calls are noted."""
        return self._audit is not None

    @property
    def trouble(self) -> str:
        """What the operator should know: tokens that cannot be read, calls that cannot be noted; empty: nothing."""
        parts = (self._tokens, self._audit)
        return "; ".join(part.trouble for part in parts if part is not None and part.trouble)

    def try_again(self) -> None:
        """Note what could not be noted before."""
        if self._audit is not None:
            self._audit.try_again()

    def admit(
        self, path: str, authorization: str, certificate_names: Sequence[str] = (), peer: str = ""
    ) -> Principal:
        """Who calls a method.

        Args:
            path: of the method.
            authorization: the header; empty: none.
            certificate_names: names of the client's certificate.
            peer: where the call comes from, for the audit log.

        Raises:
            Unauthenticated: nobody knows who calls.
            PermissionDenied: he may not call this.
            Unimplemented: there is no such method.
        """
        try:
            principal = self._admit(path, authorization, certificate_names)
        except GlasstapeError as error:
            self._note("refused", path, peer, who=error.metadata.get("who", ""), reason=error.reason)
            raise
        self._note("admitted", path, peer, who=principal.name, id=principal.id)
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
        """Raise Unauthenticated once a caller who was let in to a method may no longer stay."""
        if self._tokens is None or principal is ANYBODY:
            return
        try:
            self._tokens.check(principal)
        except Unauthenticated as error:
            self._note("ended", path, peer, who=principal.name, id=principal.id, reason=error.reason)
            raise

    def _note(self, event: str, path: str, peer: str, **facts: str) -> None:
        if self._audit is not None and REQUIRED.get(path) != OPEN:
            self._audit.note(event, method=path[:200], peer=peer, **facts)


def check_may_explain(principal: Principal) -> None:
    """Raise PermissionDenied unless a caller of the feed may have its heat maps, too."""
    if principal is not ANYBODY and not principal.scopes & {Scope.EXPLAIN, Scope.ADMIN}:
        raise PermissionDenied(
            "SCOPE_MISSING",
            f"heatmap_method: needs the scope explain; {principal.name} has {', '.join(sorted(principal.scopes))}",
            metadata={"needed": "explain", "who": principal.name},
        )
