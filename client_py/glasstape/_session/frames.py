"""The file: a line that says what it is, then frames of (seconds, kind, length, checksum, bytes)."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, Self, cast

from google.protobuf.message import Message

from glasstape.errors import DataLossError, InvalidRequestError

HEADER = b"GLASSTAPE SESSION 1\n"
_GZIP = b"\x1f\x8b"
_FRAME = struct.Struct("<dBII")
_STAMP = struct.Struct("<dB")
LARGEST = 64 * 1024 * 1024
"""Bytes of one frame: more is damage."""
WHOLE = 1024 * 1024 * 1024
"""Bytes of all frames: a session is read into memory."""


class Kind(IntEnum):
    """What a frame holds."""

    RESPONSE = 1
    """A message of the feed."""
    MODELS = 2
    INSTRUMENTS = 3
    BARS = 4
    EXPLANATION = 5
    """Eight bytes of sequence (little-endian), then an ExplainResponse of one item."""
    EVENTS = 6
    """Events from before the recording began."""
    TRACK_RECORD = 7


_KINDS = {int(kind) for kind in Kind}


class Frame(NamedTuple):
    """One entry of the file."""

    seconds: float
    """Since the recording began."""
    kind: Kind
    data: bytes


class FrameWriter:
    """Writes frames; what is written is readable even if the file is cut short."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        self._file = _open(path, "wb", packed=packed)
        self._file.write(HEADER)

    def write(self, seconds: float, kind: Kind, message: Message | bytes) -> None:
        """Append a frame."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        self._file.write(_FRAME.pack(seconds, kind, len(data), _checksum(seconds, kind, data)) + data)
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_frames(path: Path) -> Iterator[Frame]:
    """Frames in their order. A last frame that was cut short ends the file.

    Raises:
        InvalidRequestError: not a session, or of a newer version.
        DataLossError: a frame is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    with _open(path, "rb", packed=packed) as file:
        try:
            yield from _frames(file, path)
        except EOFError:
            return  # cut short: what came whole has been given
        except (zlib.error, gzip.BadGzipFile) as error:
            raise DataLossError(f"{path.name}: the compressed session is damaged: {error}") from None


def _checksum(seconds: float, kind: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(_STAMP.pack(seconds, kind)))


def _open(path: Path, mode: Literal["rb", "wb"], *, packed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, mode)) if packed else path.open(mode)


def _frames(file: BinaryIO, path: Path) -> Iterator[Frame]:
    header = file.read(len(HEADER))
    if header != HEADER:
        raise InvalidRequestError.field(
            "session", f"must be a file recorded by Glasstape (version 1), {path.name} begins with {header!r}"
        )
    total = 0
    while len(head := file.read(_FRAME.size)) == _FRAME.size:
        seconds, kind, length, checksum = _FRAME.unpack(head)
        if length > LARGEST or not seconds >= 0:
            raise DataLossError(f"{path.name}: a frame is damaged: {length} bytes at {seconds} s")
        total += length
        if total > WHOLE:
            raise InvalidRequestError.field(
                "session", f"must hold {WHOLE} bytes at most, {path.name} holds more"
            )
        data = file.read(length)
        if len(data) < length:
            return
        if _checksum(seconds, kind, data) != checksum:
            raise DataLossError(f"{path.name}: the frame at {seconds:.1f} s is damaged: wrong checksum")
        if kind in _KINDS:
            yield Frame(seconds, Kind(kind), data)
