"""One connection to the brokers of a cluster."""

import asyncio
import errno
import json
import logging
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

log = logging.getLogger(__name__)

PING_INTERVAL_S = 2
"""Between two pings: with the client's default, a frozen broker is not noticed for minutes."""
MAX_OUTSTANDING_PINGS = 2
DIAL_TIMEOUT_S = 2
CONNECT_TIMEOUT_S = 5.0
"""Longest time for a connection to any of the brokers."""
REOPEN_WAIT_S = 1.0
RECONNECT_WAIT_S = 0.2
REQUEST_TIMEOUT_S = 2.0
"""Longest wait for one answer of a broker."""
MIN_PAYLOAD = 512 << 10
"""Bytes that the brokers must allow in one message."""
MIN_VERSION = (2, 12)
"""First version of nats-server with atomic batches."""
_FORMING = (10005, 10008)
"""No suitable peers for placement, JetStream temporarily unavailable: answers of brokers that start or elect."""
_PERMISSION_S = 5.0
"""Time for which a permission error explains a request without an answer."""


class BrokerUnavailable(Exception):
    """No broker answered, or no majority of them: whether the request had an effect is unknown."""

    def __init__(self, text: str, *, denied: bool = False) -> None:
        super().__init__(text)
        self.denied = denied
        """Whether that is for lack of a permission: a retry does not help."""


class BrokerRefused(Exception):
    """The brokers refused a request; the text says why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        """Error code of JetStream's API."""


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """How to reach the brokers."""

    servers: tuple[str, ...]
    """Addresses, nats://HOST:PORT or tls://HOST:PORT."""
    credentials: Path | None = None
    """Credentials file of a user (JWT and nkey), or file of an nkey's seed."""
    authorities: Path | None = None
    """PEM file of the authorities that sign the brokers' certificates; None: those of the system."""


class Broker:
    """A connection that reconnects by itself, to any broker, for as long as it is open."""

    def __init__(self, access: BrokerAccess, name: str) -> None:
        """Describe a connection; `connect` makes it.

        Args:
            access: how to reach the brokers.
            name: of this client, as the brokers list it.
        """
        self._access = access
        self._name = name
        self.client = Client()
        self._last_error = ""
        self._rejected = asyncio.Event()
        self._permission: tuple[float, str] = (float("-inf"), "")
        self._closing = False
        self._reopening: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect to one of the brokers, within `CONNECT_TIMEOUT_S`, and check what it can do.

        Raises:
            BrokerUnavailable: none accepts the connection; the text says why.
            BrokerRefused: they are too old, lack JetStream, or limit messages too much.
            OSError: a file of the access cannot be read.
        """
        self._closing = False
        try:
            await self._open()
            self._check_server()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> None:
        self.client, self._last_error, self._rejected = Client(), "", asyncio.Event()
        connecting = asyncio.ensure_future(
            self.client.connect(
                servers=list(self._access.servers),
                name=self._name,
                error_cb=self._on_error,
                closed_cb=self._on_closed,
                connect_timeout=DIAL_TIMEOUT_S,
                reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # any number will do
                max_reconnect_attempts=-1,
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=MAX_OUTSTANDING_PINGS,
                tls=self._tls(),
                **self._credentials(),
            )
        )
        rejected = asyncio.ensure_future(self._rejected.wait())
        try:
            await asyncio.wait(
                (connecting, rejected), timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
            failure = connecting.exception() if connecting.done() else None
            if failure is not None or not connecting.done():
                reason = self._last_error or str(failure or "") or f"no answer within {CONNECT_TIMEOUT_S:g} s"
                raise BrokerUnavailable(
                    f"no broker at {', '.join(self._access.servers)}: {self._explained(reason)}"
                )
        finally:
            connecting.cancel()
            rejected.cancel()

    def _explained(self, reason: str) -> str:
        """Return a reason; for a connection that a broker closed before its own reason was read, what it wanted."""
        if not reason.endswith((os.strerror(errno.EPIPE), os.strerror(errno.ECONNRESET))):
            return reason
        info = self.client._server_info  # what a broker says first; the client has no public name for it
        if info.get("auth_required") and self._access.credentials is None:
            return "Authorization Violation: the brokers require credentials, set cluster_credentials"
        return f"{reason}: the broker closed the connection, its log says why"

    @property
    def connected(self) -> bool:
        """Whether a broker is connected now."""
        return bool(self.client.is_connected)

    @property
    def url(self) -> str:
        """Address of the connected broker; empty: none."""
        url = self.client.connected_url
        return url.netloc if url is not None and self.connected else ""

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        headers: dict[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Msg:
        """Send a request and return its answer.

        Raises:
            BrokerUnavailable: no answer came.
        """
        self._check_connected()
        try:
            message = await self.client.request(subject, payload, timeout_s, headers=headers)
            _raise_if_canceled()
            return message
        except NoRespondersError:
            raise BrokerUnavailable(f"no broker serves {subject}: no majority, or no permission") from None
        except (NatsError, TimeoutError) as error:
            raise self._failure(error, subject) from None

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a message without waiting for an answer.

        Raises:
            BrokerUnavailable: there is no connection.
        """
        self._check_connected()
        try:
            await self.client.publish(subject, payload, headers=headers)
            _raise_if_canceled()
        except NatsError as error:
            raise self._failure(error, subject) from None

    async def api(self, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call JetStream's API, such as STREAM.INFO.NAME, and return the answer.

        Raises:
            BrokerUnavailable: no answer came, or the brokers are starting.
            BrokerRefused: the answer is an error.
        """
        message = await self.request(f"$JS.API.{method}", json.dumps(body or {}).encode())
        answer: dict[str, Any] = json.loads(message.data)
        if error := answer.get("error"):
            code, text = int(error.get("err_code", 0)), str(error.get("description", error))
            if code in _FORMING:
                raise BrokerUnavailable(text)
            raise BrokerRefused(code, text)
        return answer

    async def store(self, subject: str, payload: bytes, headers: dict[str, str]) -> int:
        """Store one message in the stream of a subject; return its sequence.

        Raises:
            BrokerUnavailable: no answer came: it is stored or it is not.
            BrokerRefused: it is not stored.
        """
        answer = json.loads((await self.request(subject, payload, headers)).data)
        if error := answer.get("error"):
            raise BrokerRefused(int(error.get("err_code", 0)), str(error.get("description", error)))
        return int(answer["seq"])

    async def close(self) -> None:
        """Close the connection."""
        self._closing = True
        if self._reopening is not None:
            self._reopening.cancel()
        await self.client.close()

    def _check_connected(self) -> None:
        if not self.connected:
            raise BrokerUnavailable(f"no broker at {', '.join(self._access.servers)} is connected")

    def _check_server(self) -> None:
        version = str(self.client._server_info.get("version", ""))
        if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < MIN_VERSION:
            needed = ".".join(map(str, MIN_VERSION))
            raise BrokerRefused(0, f"the broker is nats-server {version}, expected {needed} or later")
        if self.client.max_payload < MIN_PAYLOAD:
            rule = f"max_payload is {self.client.max_payload} bytes, expected at least {MIN_PAYLOAD}"
            raise BrokerRefused(0, f"the broker's {rule}")
        if not self.client._server_info.get("jetstream"):
            raise BrokerRefused(0, "the broker has no JetStream; enable it")

    async def _on_error(self, error: Exception) -> None:
        text = str(error).removeprefix("nats: ")
        self._last_error = text or type(error).__name__
        denied = isinstance(error, ssl.SSLCertVerificationError) or "authorization violation" in text.lower()
        if denied:
            self._rejected.set()  # the next broker would reject it, too
        if "permissions violation" in text.lower():
            self._permission = (time.monotonic(), text)
        log.debug("broker: %r", error)

    async def _on_closed(self) -> None:
        """Connect again after an error that ends the client, such as credentials that were revoked."""
        if not self._closing and (self._reopening is None or self._reopening.done()):
            self._reopening = asyncio.create_task(self._reopen())

    async def _reopen(self) -> None:
        while True:
            await asyncio.sleep(REOPEN_WAIT_S)
            try:
                await self._open()
            except (BrokerUnavailable, OSError) as error:
                log.warning("cluster: %s", error)
                await self.client.close()
            else:
                return

    def _failure(self, error: Exception, subject: str) -> BrokerUnavailable:
        since, permission = self._permission
        if time.monotonic() - since < _PERMISSION_S:
            return BrokerUnavailable(permission, denied=True)
        if isinstance(error, TimeoutError):
            return BrokerUnavailable(f"no answer to {subject} within {REQUEST_TIMEOUT_S:g} s")
        return BrokerUnavailable(f"{subject}: {error}")

    def _credentials(self) -> dict[str, Any]:
        path = self._access.credentials
        if path is None:
            return {}
        return {"user_credentials" if "BEGIN NATS USER JWT" in path.read_text() else "nkeys_seed": str(path)}

    def _tls(self) -> ssl.SSLContext | None:
        if self._access.authorities is not None:
            return ssl.create_default_context(cafile=str(self._access.authorities))
        if any(server.startswith("tls://") for server in self._access.servers):
            return ssl.create_default_context()
        return None


def _raise_if_canceled() -> None:
    """Raise CancelledError if this task was canceled: the client discards a cancellation while it flushes.

    Raises:
        CancelledError: it was.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
