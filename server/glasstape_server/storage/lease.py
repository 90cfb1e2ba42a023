"""The lease of a data folder: which process of which host may write it, and until when.

A lock of the operating system ends at the host, and on many network file systems at the mount. The lease is a small
file that every server of the folder reads: its holder renews it every `RENEW_S`, and considers it lost `VALID_S` after
the last renewal. Others take it over once they saw no renewal for `TAKEOVER_S` of their own clock, so that clocks of
hosts need not agree. In addition each database names its holder (`fence.py`), so that a transaction of an earlier
holder fails where databases are locked between hosts.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from glasstape_server.domain.errors import Unavailable
from glasstape_server.storage.file_identity import FileIdentity
from glasstape_server.storage.files import PRIVATE, write
from glasstape_server.storage.host import HostProcess, this_process

log = logging.getLogger(__name__)

RENEW_S = 2.0
"""Seconds between two renewals."""
VALID_S = 10.0
"""Seconds after a renewal for which the holder may write."""
TAKEOVER_S = 15.0
"""Seconds without a renewal after which another process takes the lease over; exceeds `VALID_S`."""
SETTLE_S = 2.0
"""Seconds after which a write is visible to other hosts, so that of two writers both know the last one."""

_SIZE = 1024
"""Bytes of the file: renewals overwrite it in place, which needs no free space."""


class LeaseHeldError(Exception):
    """Another process holds the lease; the text names it."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """Content of the file."""

    holder: str
    """Random, of one claim."""
    process: HostProcess
    renewals: int

    def encoded(self) -> bytes:
        """Return the content of the file."""
        return json.dumps(asdict(self)).encode().ljust(_SIZE - 1) + b"\n"


def read_record(content: bytes) -> LeaseRecord | None:
    """Return the record of a file's content; None if it is damaged."""
    try:
        fields = json.loads(content)
        return LeaseRecord(str(fields["holder"]), HostProcess(**fields["process"]), int(fields["renewals"]))
    except (ValueError, TypeError, KeyError):
        return None


def boot_clock() -> float:
    """Return seconds of a clock that is never set, and runs on while the host is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Lease:
    """A lease that this process holds, renewed by a thread until `release`."""

    def __init__(self, path: Path, *, shared: bool) -> None:
        """Claim the lease; wait for the end of another one if need be.

        Args:
            path: file of the lease.
            shared: whether the file system may be mounted elsewhere. On a local one, the caller's lock of the
                folder proves that earlier holders of this host have ended.

        Raises:
            LeaseHeldError: another process holds it.
            OSError: the file cannot be read or written.
        """
        self._path = path
        self._record = LeaseRecord(secrets.token_hex(8), this_process(), 0)
        self.last_error = ""
        """Why the lease is not valid or not renewed; empty: it is."""
        self.on_lost: Callable[[], object] = lambda: None
        """Called once, on the thread of the renewals, when another process took the lease over."""
        self._taken_over = False
        self._protected: tuple[FileIdentity, ...] = ()
        waited = self._await_end(shared)
        self._valid_until = boot_clock() + VALID_S
        write(path, self._record.encoded(), mode=PRIVATE)
        if shared or waited:
            time.sleep(SETTLE_S)
            self._check_holder(path.read_bytes())
        self._due = threading.Event()
        self._released = False
        self._thread = threading.Thread(target=self._renew_until_released, name="lease", daemon=True)
        self._thread.start()

    @property
    def holder(self) -> str:
        """Random id of this claim."""
        return self._record.holder

    @property
    def process(self) -> HostProcess:
        """The process that holds the lease: this one."""
        return self._record.process

    def protect(self, paths: Iterable[Path]) -> None:
        """From now on, let no write be acknowledged unless these open files are those in the folder.

        Raises:
            OSError: a file is missing.
        """
        self._protected += tuple(FileIdentity.of(path) for path in paths)

    def check(self) -> None:
        """Check that this process may write and acknowledge.

        Raises:
            Unavailable: the lease was taken over, its last renewal is too old, or a file of the folder is gone.
        """
        if self._taken_over:
            raise Unavailable("DRAINING", self.last_error, retry_after=1.0)
        if boot_clock() >= self._valid_until:
            self._due.set()
            reason = self.last_error or f"the lease of the data folder was not renewed for {VALID_S:g} s"
            raise Unavailable("JOURNAL_UNAVAILABLE", reason, retry_after=1.0)
        if problem := self._missing():
            raise Unavailable("JOURNAL_UNAVAILABLE", problem, retry_after=1.0)

    def _missing(self) -> str:
        """Return which file of the folder is gone, the lease's own included; empty: none."""
        if not self._path.exists():
            return f"{self._path} is no longer in its folder"
        return next((text for file in self._protected if (text := file.problem())), "")

    def release(self) -> None:
        """End the renewals and remove the file, unless another process holds the lease by now."""
        self._released = True
        self._due.set()
        self._thread.join()
        try:
            record = read_record(self._path.read_bytes())
            if record is not None and record.holder == self.holder:
                self._path.unlink()
        except OSError as error:
            log.warning("the lease of the data folder was not released: %s", error)

    def _await_end(self, shared: bool) -> bool:
        """Wait until the lease of another process has ended; return whether that took time.

        Raises:
            LeaseHeldError: it is renewed.
        """
        content = _content(self._path)
        if content is None or self._is_over(read_record(content), shared):
            return False
        log.warning("%s is held by %s; waiting %g s for its end", self._path, _holder(content), TAKEOVER_S)
        end = boot_clock() + TAKEOVER_S
        while boot_clock() < end:
            time.sleep(min(RENEW_S / 2, max(0.0, end - boot_clock())))
            now = _content(self._path)
            if now is None:
                return True
            if now != content:
                raise LeaseHeldError(_holder(now))
        return True

    def _is_over(self, record: LeaseRecord | None, shared: bool) -> bool:
        if record is None:
            return not shared
        if record.process.has_ended():
            return True
        # The lock of a local folder is free, so this host has no other holder, also not before a restart.
        here = self._record.process
        same_host = record.process.boot_id == here.boot_id or record.process.host == here.host
        return not shared and same_host

    def _check_holder(self, content: bytes) -> None:
        record = read_record(content)
        if record is None or record.holder != self.holder:
            raise LeaseHeldError(_holder(content))

    def _renew_until_released(self) -> None:
        while True:
            self._due.wait(RENEW_S)
            self._due.clear()
            if self._released:
                return
            try:
                self._renew()
                self._report(self._missing())
            except LeaseHeldError as error:
                self.last_error = f"the data folder was taken over by {error}; this server stops"
                self._taken_over = True
                log.error("%s", self.last_error)
                self.on_lost()
                return
            except OSError as error:
                self._report(f"the lease of the data folder cannot be renewed: {error.strerror or error}")
                time.sleep(RENEW_S / 10)

    def _report(self, problem: str) -> None:
        """Keep a problem for health, and log when one begins and ends."""
        if problem and not self.last_error:
            log.error("nothing is acknowledged: %s", problem)
        elif self.last_error and not problem:
            log.info("the data folder can be written again")
        self.last_error = problem

    def _renew(self) -> None:
        start = boot_clock()
        record = replace(self._record, renewals=self._record.renewals + 1)
        # In place: if another process replaces the file meanwhile, this writes into the old one only.
        with self._path.open("r+b", buffering=0) as file:
            self._check_holder(file.read())
            file.seek(0)
            file.write(record.encoded())
        self._record = record
        if start >= self._valid_until:
            log.warning("the lease of the data folder was renewed late")
            time.sleep(SETTLE_S)  # another process may have begun to take it over
            start = boot_clock()
        self._check_holder(self._path.read_bytes())
        self._valid_until = start + VALID_S


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _holder(content: bytes) -> str:
    record = read_record(content)
    return "an unknown process (the lease is damaged)" if record is None else str(record.process)
