"""Audit log: one line of JSON for each call that was admitted, refused or ended, linked by a hash chain.

It holds no payload, token or feature. A line is `CHAIN JSON`; CHAIN is the SHA-256 of the previous line's chain and the
line's own JSON, so that `verify` detects damage and gaps: lines that were lost, cut off, repeated or altered by a
failing disk, a full disk or a careless edit. The chain has no key: anyone who may write the file can recompute it, so
it is no evidence against them. Send the log to another machine where that matters.

A full file is rotated to `NAME.1`, that one to `NAME.2` and so on; the chain continues across files.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from glasstape_server.storage.files import PRIVATE

log = logging.getLogger(__name__)

_INITIAL_CHAIN = "0" * 64
MAX_FILE_BYTES = 64 << 20
"""Default size at which a file is rotated."""
_MAX_LINE_BYTES = 64 << 10


class AuditLog:
    """Append-only file of audit records. Safe on any thread.

    A full disk rejects no call: records that cannot be written are counted, and the count is written once
    there is space.
    """

    def __init__(self, path: Path, keep: int = 8, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        """Open a log for appending, or create it.

        Args:
            path: of the current file.
            keep: number of rotated files to keep.
            max_file_bytes: size at which the file is rotated.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._keep = keep
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._file = _open(path)
        self._chain = _last_chain(path)
        self._lost = 0
        self.last_error = ""
        """Why records cannot be written; empty while they can."""

    def record(self, event: str, **fields: str | float) -> None:
        """Append a record. It is not synced to disk before `close`."""
        with self._lock:
            if not self._write_lost() or not self._append(event, fields):
                self._lost += 1

    def retry(self) -> None:
        """Write the number of lost records, if there is space again."""
        with self._lock:
            self._write_lost()

    def close(self) -> None:
        """Sync the file to disk and close it."""
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)

    def _write_lost(self) -> bool:
        if self._lost and self._append("lost", {"lines": self._lost}):
            self._lost = 0
        return not self._lost

    def _append(self, event: str, fields: Mapping[str, str | float]) -> bool:
        try:
            if os.fstat(self._file).st_size >= self._max_file_bytes:
                self._rotate()
            self._write(event, fields)
        except OSError as error:
            if not self.last_error:
                log.error("audit log: %s", error)
            self.last_error = f"the audit log cannot be written: {error.strerror}"
            return False
        self.last_error = ""
        return True

    def _rotate(self) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        file = _open(draft)  # before any rename, in case it fails
        for number in range(self._keep - 1, -1, -1):
            with contextlib.suppress(FileNotFoundError):
                _rotated(self._path, number).replace(_rotated(self._path, number + 1))
        draft.replace(self._path)
        os.close(self._file)
        self._file = file
        self._write("continued", {"after": self._chain})

    def _write(self, event: str, fields: Mapping[str, str | float]) -> None:
        row = {"time": round(time.time(), 3), "event": event, **fields}
        text = json.dumps(row, ensure_ascii=False, sort_keys=True)
        chain = _next_chain(self._chain, text)
        line = f"{chain} {text}\n".encode()
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, size)  # `verify` would report half a line as damage
            raise
        self._chain = chain


def verify(path: Path) -> Iterator[str]:
    """Yield an error for each damaged line: one that does not follow from the line before.

    Args:
        path: of the current file; rotated files are checked before it.
    """
    chain = ""
    for file in reversed(audit_files(path)):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                stored, _, text = line.rstrip("\n").partition(" ")
                chain = _next_chain(chain or _chain_before(text), text)
                if stored != chain:
                    yield f"{file}: line {number} is damaged, or a line before it is missing"
                    chain = stored  # report later lines only for errors of their own


def audit_files(path: Path) -> list[Path]:
    """Return the existing files of an audit log, newest first."""
    numbered = (_rotated(path, number) for number in itertools.count())
    return list(itertools.takewhile(Path.exists, numbered))


def _rotated(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE)


def _next_chain(chain: str, text: str) -> str:
    return hashlib.sha256(f"{chain} {text}".encode()).hexdigest()


def _chain_before(text: str) -> str:
    """Return the chain before the oldest line that is kept."""
    with contextlib.suppress(ValueError, TypeError):
        row = json.loads(text)
        if row["event"] == "continued":
            return str(row["after"])
    return _INITIAL_CHAIN


def _last_chain(path: Path) -> str:
    """Return the chain of the last line. A line torn by a power cut is terminated; `verify` reports it."""
    with path.open("rb+") as file:
        file.seek(max(0, path.stat().st_size - _MAX_LINE_BYTES))
        end = file.read()
        if end and not end.endswith(b"\n"):
            file.write(b"\n")
    lines = end.splitlines()
    return lines[-1].partition(b" ")[0].decode("utf-8", "replace") if lines else _INITIAL_CHAIN
