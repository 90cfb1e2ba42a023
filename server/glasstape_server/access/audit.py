"""Who did what, and whether he was allowed to: one line of JSON each, chained so that none goes missing unseen.

Never a payload, a token or a feature. A line's `chain` is SHA-256 over the line before's and its own text.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_FIRST = "0" * 64


class AuditLog:
    """An append-only file. Safe on any thread."""

    def __init__(self, path: Path) -> None:
        """Go on with a file, or begin one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._chain = _last_chain(path)

    def note(self, event: str, **facts: str | float) -> None:
        """Add a line; it is on disk before this returns only if the system is asked for it (`sync`)."""
        with self._lock:
            row = {"time": round(time.time(), 3), "event": event, **facts}
            text = json.dumps(row, ensure_ascii=False, sort_keys=True)
            self._chain = _linked(self._chain, text)
            os.write(self._file, f"{self._chain} {text}\n".encode())

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
