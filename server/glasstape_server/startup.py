"""Checks and resources that come before a server's components: addresses, credentials, the data folder."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from glasstape.address import is_loopback
from prometheus_client import CollectorRegistry

from glasstape_server.access.audit import AuditLog
from glasstape_server.access.authorizer import Authorizer
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.market import replay
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.operations import metrics
from glasstape_server.operations.call_observer import CallObserver
from glasstape_server.settings import Settings
from glasstape_server.storage.file_system import file_system_of
from glasstape_server.storage.files import make_folder, restore_draft
from glasstape_server.storage.folder_lock import FolderInUseError, FolderLock
from glasstape_server.transport.grpcio_server import Access, Servicers, WireServer
from glasstape_server.transport.health import Health
from glasstape_server.transport.listener import open_server
from glasstape_server.transport.server_with_web import WebError, WebOptions
from glasstape_server.transport.tls import Certificates

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start; the text gives the cause and what to do."""


def check_address(settings: Settings) -> None:
    """Check that other machines reach the server only with TLS and authentication, unless `insecure` is set.

    Raises:
        StartError: they would reach it without.
    """
    host = settings.host
    if settings.insecure or (settings.tls_certificate and settings.tokens):
        return
    if not settings.has_socket and not is_loopback(host):
        missing = "no --tls-certificate" if settings.tls_certificate is None else "no --tokens"
        raise StartError(
            f"host: {host} is not a loopback address and there is {missing}; --insecure allows it"
        )


def build_access(settings: Settings) -> tuple[Access, AuditLog | None]:
    """Return TLS and authentication as set, and the audit log, if there is one.

    Raises:
        ValueError: a file of certificates or tokens is invalid.
    """
    tls = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        tls = Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_authorities)
    tokens = None
    if settings.tokens is not None:
        tokens = TokenFile(settings.tokens)
        if not tokens.grants():
            raise ValueError(
                f"tokens: {settings.tokens} has no tokens; create one with `glasstape tokens create`"
            )
    path = settings.audit_log or (settings.data_dir / "audit.log" if tokens is not None else None)
    audit = AuditLog(path, settings.audit_keep) if path is not None else None
    return Access(Authorizer(tokens, audit), tls, with_reflection=not settings.production), audit


def active_model(settings: Settings, repository: Repository) -> Model:
    """Return the model that serves.

    Raises:
        StartError: no model may serve; the text gives the reason of each.
    """
    try:
        return repository.active
    except GlasstapeError as error:
        wanted = f", none named {settings.model!r}" if settings.model else ""
        reasons = "; ".join(f"{r.name}@{r.version}: {r.reason}" for r in repository.refusals())
        details = f": {reasons}" if reasons else ""
        raise StartError(f"{error}{wanted} ({settings.models_dir}){details}") from None


def check_shadow(settings: Settings, repository: Repository) -> None:
    """Check that the shadow model, if one is set, is loaded; later it may be unloaded and loaded again.

    Raises:
        StartError: it is not.
    """
    if not settings.shadow:
        return
    try:
        shadow = repository.get(settings.shadow)
    except GlasstapeError as error:
        raise StartError(f"shadow: {error}") from None
    log.info("shadow: model %s@%s", shadow.ref.name, shadow.ref.version)


def open_wires(
    settings: Settings, servicers: Servicers, access: Access, observer: CallObserver, end: ExitStack
) -> WireServer:
    """Bind the server on its wires.

    Raises:
        StartError: an address is in use, or a wire cannot serve.
    """
    web = None
    if settings.web_port is not None:
        web = WebOptions(settings.host, settings.web_port, settings.web_origins)
    try:
        return open_server(
            servicers, settings.address, access, wire=settings.wire, observer=observer, end=end, web=web
        )
    except RuntimeError as error:
        name = "host" if settings.has_socket else "port"
        raise StartError(f"{name}: cannot listen on {settings.address}: {error}") from None
    except WebError as error:
        raise StartError(f"web_port: {error}") from None
    except ValueError as error:
        raise StartError(f"wire: {error}") from None


def serve_metrics(
    settings: Settings, registry: CollectorRegistry, health: Health, loop: asyncio.AbstractEventLoop
) -> tuple[int, Callable[[], None]]:
    """Serve Prometheus' metrics and HTTP probes; return the port, and what stops it.

    Raises:
        StartError: the address is in use.
    """
    host, port = settings.metrics_host, settings.metrics_port or 0
    try:
        port, server = metrics.serve(registry, host, port, health, loop)
    except OSError as error:
        raise StartError(f"metrics_port: cannot listen on {host}:{port}: {error}") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return port, stop


def optional_features(settings: Settings, access: Access) -> list[str]:
    """Return the optional features that are served, by name."""
    optional = {
        "open-inference": True,
        "reflection": access.with_reflection,
        "replay": bool(settings.replay),
        "shadow": bool(settings.shadow),
    }
    return [name for name, served in optional.items() if served]


def load_recording(settings: Settings) -> replay.Recording | None:
    """Return the recording to replay; None if bars are live.

    Raises:
        StartError: it cannot be read.
    """
    if not settings.replay:
        return None
    try:
        return replay.load(
            settings.replay,
            settings.interval,
            first=settings.replay_from,
            last=settings.replay_to,
            options=settings.bar_file_options,
        )
    except (ValueError, KeyError) as error:
        raise StartError(str(error)) from None


@contextmanager
def release_on_failure(lock: FolderLock, prefix: str = "") -> Iterator[None]:
    """Release the lock if the block fails.

    Raises:
        StartError: the block failed; the text begins with `prefix`.
    """
    try:
        yield
    except (GlasstapeError, ValueError, OSError, sqlite3.DatabaseError) as error:
        lock.release()
        text = _described(error) if isinstance(error, OSError) else str(error)
        raise StartError(f"{prefix}{text}") from None


def _described(error: OSError, path: Path | None = None) -> str:
    """Return an error of the operating system with its path, or else `path`, and without its number."""
    where = error.filename or path
    return f"{where}: {error.strerror}" if where and error.strerror else str(error)


def lock_data_folder(folder: Path, history: Path, *, allow_shared: bool) -> FolderLock:
    """Create a data folder if necessary, and lock it.

    Args:
        folder: the folder of all data.
        history: the folder in it that is served.
        allow_shared: whether a network or FUSE file system is accepted.

    Raises:
        StartError: another server uses it, a restore was interrupted in it, it cannot be created, or it is on a
            network or FUSE file system.
    """
    try:
        make_folder(folder)
        where = file_system_of(folder)
        if where.shared and not allow_shared:
            raise StartError(
                f"data_dir: {folder} is on {where}, a network or FUSE file system, where SQLite's locks do not hold; "
                "use a local disk, or set allow_shared_storage if only one host uses the folder"
            )
        lock = FolderLock(folder)
    except FolderInUseError as error:
        raise StartError(f"data_dir: {error}") from None
    except OSError as error:
        raise StartError(f"data_dir: {_described(error, folder)}") from None
    with release_on_failure(lock):
        _check_restore_finished(history)
    return lock


def _check_restore_finished(history: Path) -> None:
    """Check that no restore was interrupted before the new history had its name.

    Raises:
        ValueError: one was; the text says what to do.
    """
    draft = restore_draft(history)
    if history.exists() or not draft.exists():
        return
    earlier = sorted(history.parent.glob(f"{history.name}.before-*"), key=lambda path: path.stat().st_ctime)
    remedy = f"rename {earlier[-1]} to {history}" if earlier else f"remove {draft} to start without a history"
    raise ValueError(f"data_dir: `glasstape restore` did not finish: repeat it, or {remedy}")
