"""Who did what, and whether he was allowed to: one line of JSON each, chained so that none goes missing unseen.

Never a payload, a token or a feature. A line's `chain` is SHA-256 over the line before's and its own text.
"""

import errno
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

_FIRST = "0" * 64


class AuditLog:
    """An append-only file. Safe on any thread.

    A full disk stops nobody: what could not be noted is counted, and the count is noted once there is room.
    """

    def __init__(self, path: Path) -> None:
        """Go on with a file, or begin one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
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
        row = {"time": round(time.time(), 3), "event": event, **facts}
        text = json.dumps(row, ensure_ascii=False, sort_keys=True)
        chain = _linked(self._chain, text)
        line = f"{chain} {text}\n".encode()
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._file, size)  # half a line would be taken for a forged one
            if not self.trouble:
                log.error("audit log: %s", error)
            self.trouble = f"the audit log cannot be written: {error.strerror}"
            return False
        self._chain, self.trouble = chain, ""
        return True

    def close(self) -> None:
        """Write everything to the disk."""
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)


def verify(path: Path) -> Iterator[str]:
    """What is wrong with an audit log: nothing, or the first line that was changed, removed or put in."""
    chain = _FIRST
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            noted, _, text = line.rstrip("\n").partition(" ")
            chain = _linked(chain, text)
            if noted != chain:
                yield f"{path}: line {number} is not what was written, or one before it is missing"
                return


def _linked(chain: str, text: str) -> str:
    return hashlib.sha256(f"{chain} {text}".encode()).hexdigest()


def _last_chain(path: Path) -> str:
    """Chain of the last whole line. A torn one, of a power cut, is closed and shows in `verify`."""
    raw = path.read_bytes()
    if raw and not raw.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
        raw += b"\n"
    lines = raw.splitlines()
    return lines[-1].partition(b" ")[0].decode("utf-8", "replace") if lines else _FIRST
