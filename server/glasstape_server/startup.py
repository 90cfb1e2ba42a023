"""What is checked and opened before a server's parts are made."""

import ipaddress
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from glasstape_server.access.audit import AuditLog
from glasstape_server.access.authorizer import Authorizer
from glasstape_server.access.tokens import TokenFile
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.market import replay
from glasstape_server.settings import Settings
from glasstape_server.storage.files import restoring
from glasstape_server.transport.grpcio_server import Access
from glasstape_server.transport.tls import Certificates


class StartError(Exception):
    """The server cannot start; the text says why and what to do."""


def check_address(settings: Settings) -> None:
    """Raise StartError if strangers could reach a server that asks nobody who he is."""
    host = settings.host
    if settings.insecure or (settings.tls_certificate and settings.tokens):
        return
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        missing = "no --tls-certificate" if settings.tls_certificate is None else "no --tokens"
        raise StartError(
            f"host: {host} is beyond loopback and there is {missing}; --insecure allows it all the same"
        )


def access_of(settings: Settings) -> tuple[Access, AuditLog | None]:
    """Who may connect and call.

    Raises:
        ValueError: a file of certificates or tokens is not what it should be.
    """
    tls = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        tls = Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_authorities)
    tokens = None
    if settings.tokens is not None:
        tokens = TokenFile(settings.tokens)
        if not tokens.grants():
            raise ValueError(f"tokens: {settings.tokens} lets nobody in; `glasstape tokens create` makes one")
    path = settings.audit_log or (settings.data_dir / "audit.log" if tokens is not None else None)
    audit = AuditLog(path, settings.audit_keep) if path is not None else None
    return Access(Authorizer(tokens, audit), tls, with_reflection=not settings.production), audit


def recording_of(settings: Settings) -> replay.Recording | None:
    """What is replayed, if anything.

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
            time_zone=settings.replay_time_zone,
            close=settings.replay_close,
        )
    except (ValueError, KeyError) as error:
        raise StartError(str(error)) from None


@contextmanager
def freeing(lock: FileLock, about: str = "") -> Iterator[None]:
    """Whatever goes wrong inside is why the server cannot start: the folder is free again.

    Raises:
        StartError: something did; its text begins with `about`.
    """
    try:
        yield
    except (GlasstapeError, ValueError, OSError, sqlite3.DatabaseError) as error:
        lock.release()
        raise StartError(f"{about}{error}") from None


def take_folder(folder: Path, history: Path) -> FileLock:
    """Lock a data folder, which is made if need be.

    Args:
        folder: of all data.
        history: the folder of it that is served.

    Raises:
        StartError: another server has it, a restore has not finished in it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise StartError(f"data_dir: {folder} is in use by another server") from None
    except OSError as error:
        raise StartError(f"data_dir: {folder}: {error}") from None
    with freeing(lock):
        _check_restored(history)
    return lock


def _check_restored(history: Path) -> None:
    """Raise ValueError if a restore was cut off before the new history had its name."""
    draft = restoring(history)
    if history.exists() or not draft.exists():
        return
    before = sorted(history.parent.glob(f"{history.name}.before-*"), key=lambda path: path.stat().st_ctime)
    instead = f"rename {before[-1]} to {history}" if before else f"remove {draft} to begin without a history"
    raise ValueError(f"data_dir: `glasstape restore` did not finish: repeat it, or {instead}")
