"""The audit log: one line of JSON for each call that was admitted, refused or ended.

Payloads, tokens and features are never written. Each line's `chain` is SHA-256 over the chain of the line before and
its own text, so that `verify` detects damage and gaps: lines that were lost, cut off, repeated or altered by a
failing disk, a full disk or a careless edit. The chain has no key: anyone who may write the file can compute it, so
it is no evidence against them. Send the log to another machine where that matters.

A file that has grown large is renamed to `NAME.1`, that one to `NAME.2` and so on; the chain continues from file to
file.
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

MAX_FILE_BYTES = 64 << 20
"""Size from which on a new file is started."""
MAX_LINE_BYTES = 64 << 10
_FIRST = "0" * 64


class AuditLog:
    """An append-only file. Safe on any thread.

    A full disk does not stop calls: lines that could not be written are counted, and the count is written once
    there is space.
    """

    def __init__(self, path: Path, keep: int = 8, max_bytes: int = MAX_FILE_BYTES) -> None:
        """Continue a file, or start one.

        Args:
            path: the newest file.
            keep: older files that are kept beside it.
            max_bytes: size of a file from which on a new one is started.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._keep = keep
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._file = _open(path)
        self._chain = _last_chain(path)
        self._lost = 0
        self.last_error = ""
        """Why lines cannot be written; empty: they can."""

    def record(self, event: str, **fields: str | float) -> None:
        """Append a line. The operating system writes it to the disk later; `close` waits for that."""
        with self._lock:
            if not self._record_lost() or not self._append(event, fields):
                self._lost += 1

    def retry(self) -> None:
        """Write how many lines were lost, if there is space again."""
        with self._lock:
            self._record_lost()

    def close(self) -> None:
        """Flush everything to the disk."""
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)

    def _record_lost(self) -> bool:
        if self._lost and self._append("lost", {"lines": self._lost}):
            self._lost = 0
        return not self._lost

    def _append(self, event: str, fields: Mapping[str, str | float]) -> bool:
        try:
            if os.fstat(self._file).st_size >= self._max_bytes:
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
        file = _open(draft)  # first: if that fails, nothing is renamed
        for number in range(self._keep - 1, -1, -1):
            with contextlib.suppress(FileNotFoundError):
                _part(self._path, number).replace(_part(self._path, number + 1))
        draft.replace(self._path)
        os.close(self._file)
        self._file = file
        self._write("continued", {"after": self._chain})

    def _write(self, event: str, fields: Mapping[str, str | float]) -> None:
        row = {"time": round(time.time(), 3), "event": event, **fields}
        text = json.dumps(row, ensure_ascii=False, sort_keys=True)
        chain = _chained(self._chain, text)
        line = f"{chain} {text}\n".encode()
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, size)  # half a line would read as damage
            raise
        self._chain = chain


def verify(path: Path) -> Iterator[str]:
    """Yield what is damaged in an audit log: each line that does not follow from the one before.

    Args:
        path: the newest file; the older ones beside it are checked before it.
    """
    chain = ""
    for file in reversed(parts(path)):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                written, _, text = line.rstrip("\n").partition(" ")
                chain = _chained(chain or _chain_before(text), text)
                if written != chain:
                    yield f"{file}: line {number} is damaged, or a line before it is missing"
                    chain = written  # the lines that follow are judged by themselves


def parts(path: Path) -> list[Path]:
    """Return the files of an audit log, newest first."""
    numbered = (_part(path, number) for number in itertools.count())
    return list(itertools.takewhile(Path.exists, numbered))


def _part(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE)


def _chained(chain: str, text: str) -> str:
    return hashlib.sha256(f"{chain} {text}".encode()).hexdigest()


def _chain_before(text: str) -> str:
    """Return the chain before the oldest line that is kept."""
    with contextlib.suppress(ValueError, TypeError):
        row = json.loads(text)
        if row["event"] == "continued":
            return str(row["after"])
    return _FIRST


def _last_chain(path: Path) -> str:
    """Return the chain of the last whole line. A torn one, from a power cut, is ended and shows in `verify`."""
    with path.open("rb+") as file:
        file.seek(max(0, path.stat().st_size - MAX_LINE_BYTES))
        end = file.read()
        if end and not end.endswith(b"\n"):
            file.write(b"\n")
    lines = end.splitlines()
    return lines[-1].partition(b" ")[0].decode("utf-8", "replace") if lines else _FIRST
