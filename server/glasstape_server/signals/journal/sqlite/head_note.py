"""How far a journal's file went, noted beside it: a database that lost its newest rows does not notice."""

import os
import struct
import zlib
from pathlib import Path

from glasstape_server.signals.journal.records import Position
from glasstape_server.storage.files import PRIVATE

_NOTE = struct.Struct(">Q8sI")


def note_path(journal: Path) -> Path:
    """Return where the end of a journal's file is noted."""
    return journal.with_name(journal.name + "-head")


class HeadNote:
    """The newest position of a journal, in a file of its own.

    Written at every commit and not synced: after a power cut it may be behind the journal, never ahead.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, which is made if it is not there.

        Raises:
            OSError: it cannot be opened.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)

    def read(self) -> Position | None:
        """Return the noted position; None if nothing legible is noted."""
        raw = os.pread(self._file, _NOTE.size, 0)
        if len(raw) < _NOTE.size:
            return None
        sequence, chain, check = _NOTE.unpack(raw)
        return Position(sequence, chain) if check == zlib.crc32(raw[:-4]) else None

    def write(self, position: Position) -> None:
        """Note a position.

        Raises:
            OSError: it cannot be written.
        """
        body = _NOTE.pack(*position, 0)[:-4]
        os.pwrite(self._file, body + zlib.crc32(body).to_bytes(4, "big"), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
