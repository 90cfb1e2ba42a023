"""Who did what, and whether he was allowed to: one line of JSON each, chained so that none goes missing unseen.

Never a payload, a token or a feature. A line's `chain` is SHA-256 over the line before's and its own text. A file that
has grown large is put aside as `NAME.1`, that one as `NAME.2` and so on; the chain goes on from file to file.
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

log = logging.getLogger(__name__)

_FIRST = "0" * 64
LARGE = 64 << 20
"""Bytes from which on a new file is begun."""
_LONGEST_LINE = 64 << 10


class AuditLog:
    """An append-only file. Safe on any thread.

    A full disk stops nobody: what could not be noted is counted, and the count is noted once there is room.
    """

    def __init__(self, path: Path, keep: int = 8) -> None:
        """Go on with a file, or begin one.

        Args:
            path: the newest file.
            keep: older files that are kept beside it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._keep = keep
        self._lock = threading.Lock()
        self._file = _opened(path)
        self._chain = _last_chain(path)
        self._lost = 0
        self.trouble = ""
        """Why lines cannot be written; empty: they can."""

    def note(self, event: str, **facts: str | float) -> None:
        """Add a line. The system writes it to the disk in its own time; `close` waits for that."""
        with self._lock:
            if not self._write_lost() or not self._append(event, facts):
                self._lost += 1

    def try_again(self) -> None:
        """Note how many lines were lost, if there is room again."""
        with self._lock:
            self._write_lost()

    def _write_lost(self) -> bool:
        if self._lost and self._append("lost", {"lines": self._lost}):
            self._lost = 0
        return not self._lost

    def _append(self, event: str, facts: Mapping[str, str | float]) -> bool:
        try:
            if os.fstat(self._file).st_size >= LARGE:
                self._put_aside()
            self._write(event, facts)
        except OSError as error:
            if not self.trouble:
                log.error("audit log: %s", error)
            self.trouble = f"the audit log cannot be written: {error.strerror}"
            return False
        self.trouble = ""
        return True

    def _put_aside(self) -> None:
        draft = self._path.with_name(f"{self._path.name}.new")
        file = _opened(draft)  # first: without one nothing is moved
        for number in range(self._keep - 1, -1, -1):
            with contextlib.suppress(FileNotFoundError):
                _older(self._path, number).replace(_older(self._path, number + 1))
        draft.replace(self._path)
        os.close(self._file)
        self._file = file
        self._write("continued", {"after": self._chain})

    def _write(self, event: str, facts: Mapping[str, str | float]) -> None:
        row = {"time": round(time.time(), 3), "event": event, **facts}
        text = json.dumps(row, ensure_ascii=False, sort_keys=True)
        chain = _linked(self._chain, text)
        line = f"{chain} {text}\n".encode()
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, size)  # half a line would be taken for a forged one
            raise
        self._chain = chain

    def close(self) -> None:
        """Write everything to the disk."""
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)


def verify(path: Path) -> Iterator[str]:
    """What is wrong with an audit log: each line that was changed, removed or put in.

    Args:
        path: the newest file; those that were put aside are looked through before it.
    """
    chain = ""
    for file in reversed(parts(path)):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                noted, _, text = line.rstrip("\n").partition(" ")
                chain = _linked(chain or _chain_before(text), text)
                if noted != chain:
                    yield f"{file}: line {number} is not what was written, or one before it is missing"
                    chain = noted  # what follows is judged by itself


def parts(path: Path) -> list[Path]:
    """The files of an audit log, newest first."""
    numbered = (_older(path, number) for number in itertools.count())
    return list(itertools.takewhile(Path.exists, numbered))


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _linked(chain: str, text: str) -> str:
    return hashlib.sha256(f"{chain} {text}".encode()).hexdigest()


def _chain_before(text: str) -> str:
    """Chain before the oldest line that is held."""
    with contextlib.suppress(ValueError, TypeError):
        row = json.loads(text)
        if row["event"] == "continued":
            return str(row["after"])
    return _FIRST


def _last_chain(path: Path) -> str:
    """Chain of the last whole line. A torn one, of a power cut, is closed and shows in `verify`."""
    with path.open("rb+") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_LINE))
        end = file.read()
        if end and not end.endswith(b"\n"):
            file.write(b"\n")
    lines = end.splitlines()
    return lines[-1].partition(b" ")[0].decode("utf-8", "replace") if lines else _FIRST
