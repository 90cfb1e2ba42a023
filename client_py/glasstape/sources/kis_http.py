"""Requests to the Open API of Korea Investment & Securities: tokens, pace and errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from glasstape.sources.credentials import Credentials
from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
)
from glasstape.sources.polling import Clock, Pace

if TYPE_CHECKING:
    from aiohttp import ClientSession

REQUEST_TIMEOUT_S = 30.0
TOKEN_LIFE = timedelta(days=1)
TOKEN_MARGIN = timedelta(minutes=10)
"""Before the end of a token's life, when the next one is requested."""
_PAUSES = {"EGW00201": timedelta(seconds=1), "EGW00133": timedelta(minutes=1)}
"""Codes for too many requests in a second, and for two tokens within a minute, with the pause that ends it."""
_EXPIRED = frozenset({"EGW00121", "EGW00123"})
"""Codes for an invalid and for an expired token."""
_REFUSED = frozenset({"EGW00002", "EGW00103", "EGW00105", "EGW00304"})
"""Codes for invalid keys."""


@dataclass(frozen=True, slots=True)
class KisUrls:
    """Addresses and request limit of one environment."""

    rest: str
    stream: str
    requests_per_s: float


LIVE = KisUrls("https://openapi.koreainvestment.com:9443", "ws://ops.koreainvestment.com:21000/tryitout", 15)
DEMO = KisUrls(
    "https://openapivts.koreainvestment.com:29443", "ws://ops.koreainvestment.com:31000/tryitout", 1.5
)


class _TokenRefusedError(Exception):
    """The access token is invalid or expired; the next one may be valid."""


class KisHttp:
    """Requests of one app key. The access token is kept in memory alone."""

    def __init__(self, credentials: Credentials, urls: KisUrls, clock: Clock) -> None:
        self._credentials = credentials
        self._urls = urls
        self._clock = clock
        self._pace = Pace(urls.requests_per_s, clock)
        self._session: ClientSession | None = None
        self._token = ""
        self._token_ends = datetime.min.replace(tzinfo=UTC)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def approval_key(self) -> str:
        """Return a key for the stream.

        Raises:
            CredentialsError: the app key is refused.
            SourceUnavailableError: retrying may help.
        """
        answer = await self._post("/oauth2/Approval", "secretkey")
        return _text(answer, "approval_key")

    async def get(self, path: str, transaction: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the answer to a request; a refused token is replaced once.

        Args:
            path: of the service.
            transaction: id of the service, `tr_id`.
            query: its parameters.

        Raises:
            CredentialsError: the app key is refused.
            SourceError: the request is refused.
            SourceUnavailableError: retrying may help.
        """
        for _ in range(2):
            headers = {
                "authorization": f"Bearer {await self._valid_token()}",
                "appkey": self._credentials["key"],
                "appsecret": self._credentials["secret"],
                "tr_id": transaction,
                "custtype": "P",
            }
            try:
                return await self._send("GET", path, params=query, headers=headers)
            except _TokenRefusedError:
                self._token_ends = datetime.min.replace(tzinfo=UTC)
        raise SourceUnavailableError(f"kis: {path}: a new access token was refused")

    async def _valid_token(self) -> str:
        if self._clock.now() >= self._token_ends:
            answer = await self._post("/oauth2/tokenP", "appsecret")
            self._token = _text(answer, "access_token")
            self._token_ends = self._clock.now() + TOKEN_LIFE - TOKEN_MARGIN
        return self._token

    async def _post(self, path: str, secret_name: str) -> Mapping[str, Any]:
        """Return the answer to a request that carries the keys.

        Raises:
            CredentialsError: the app key is refused.
            SourceUnavailableError: retrying may help.
        """
        body = {
            "grant_type": "client_credentials",
            "appkey": self._credentials["key"],
            secret_name: self._credentials["secret"],
        }
        try:
            return await self._send("POST", path, json=body)
        except _TokenRefusedError:
            raise CredentialsError(f"kis: {path}: the app key was refused") from None

    async def _send(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        """Send a request and return its answer.

        Raises:
            CredentialsError: the app key is refused.
            SourceError: the request is refused.
            SourceUnavailableError: retrying may help.
            _TokenRefusedError: the token is invalid or expired.
        """
        from aiohttp import ClientError, ClientSession, ClientTimeout

        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=REQUEST_TIMEOUT_S), trust_env=True)
        await self._pace.turn()
        try:
            async with self._session.request(method, self._urls.rest + path, **options) as response:
                text = await response.text(errors="replace")
                status, sent = response.status, response.headers.get("Date")
        except (ClientError, OSError, TimeoutError) as error:
            raise SourceUnavailableError(f"kis: no answer to {path}: {type(error).__name__}") from None
        self._observe(sent)
        answer = self._parsed(text, status, path)
        code = str(answer.get("msg_cd") or answer.get("error_code") or "").strip()
        if status == 200 and str(answer.get("rt_cd", "0")) == "0":
            return answer
        raise self._translated(status, code, answer, path)

    def _observe(self, sent: str | None) -> None:
        """Follow the market's clock, as far as it is stated.

        Raises:
            SourceUnavailableError: the header Date is not a date.
        """
        if sent is None:
            return
        try:
            self._clock.observe(parsedate_to_datetime(sent), timedelta(seconds=1))
        except ValueError:
            raise SourceUnavailableError(f"kis: the header Date is {sent[:40]!r}") from None

    def _parsed(self, text: str, status: int, path: str) -> Mapping[str, Any]:
        """Return a body as a JSON object.

        Raises:
            SourceUnavailableError: it is not one: an answer of a proxy, or of maintenance.
        """
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        start = self._credentials.redact(text[:60])
        raise SourceUnavailableError(f"kis: {path}: HTTP {status} without a JSON object: {start!r}")

    def _translated(self, status: int, code: str, answer: Mapping[str, Any], path: str) -> Exception:
        message = str(answer.get("msg1") or answer.get("error_description") or "").strip()
        reason = self._credentials.redact(f"kis: {path}: {code or f'HTTP {status}'} {message[:200]}".strip())
        if code in _PAUSES or status == 429:
            return RateLimitedError(reason, _PAUSES.get(code))
        if code in _EXPIRED:
            return _TokenRefusedError(reason)
        if code in _REFUSED or status in (401, 403):
            return CredentialsError(reason)
        if status >= 500 or not code:
            return SourceUnavailableError(reason)
        return SourceError(reason)


def _text(answer: Mapping[str, Any], name: str) -> str:
    """Return a field of an answer.

    Raises:
        SourceUnavailableError: it is missing.
    """
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise SourceUnavailableError(f"kis: an answer lacks {name}")
    return value
