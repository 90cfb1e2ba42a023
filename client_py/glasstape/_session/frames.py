"""The file format: a header line, then frames of (seconds, kind, length, checksum, bytes)."""

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

VERSION = 2
HEADER = b"GLASSTAPE SESSION %d\n" % VERSION
_GZIP = b"\x1f\x8b"
_FRAME = struct.Struct("<dBII")
_STAMP = struct.Struct("<dB")
LARGEST_FRAME = 64 * 1024 * 1024
"""Bytes of one frame; more is damage."""
LARGEST_SESSION = 1024 * 1024 * 1024
"""Bytes of all frames: a session is read into memory."""


class Kind(IntEnum):
    """Content of a frame."""

    RESPONSE = 1
    """A message of the feed."""
    MODELS = 2
    INSTRUMENTS = 3
    BARS = 4
    EXPLANATION = 5
    """Eight bytes of sequence (little-endian), then an ExplainResponse of one item."""
    EVENTS = 6
    """Events before the start of the recording."""
    TRACK_RECORD = 7
    """Four bytes of the request's length (little-endian), the GetTrackRecordRequest, then the response."""


_KINDS = {int(kind) for kind in Kind}


class Frame(NamedTuple):
    """One entry of the file."""

    seconds: float
    """Since the start of the recording."""
    kind: Kind
    data: bytes


class FrameWriter:
    """Writes frames. A file that is cut short is readable up to its last complete frame."""

    def __init__(self, path: Path, *, packed: bool) -> None:
        self._file = _open(path, "wb", packed=packed)
        self._file.write(HEADER)

    def write(self, seconds: float, kind: Kind, message: Message | bytes) -> None:
        """Append a frame."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        self._file.write(_FRAME.pack(seconds, kind, len(data), _checksum(seconds, kind, data)) + data)
        self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_frames(path: Path) -> Iterator[Frame]:
    """Yield frames in order. An incomplete last frame ends the file.

    Raises:
        InvalidRequestError: not a session, or of another version.
        DataLossError: a frame is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    with _open(path, "rb", packed=packed) as file:
        try:
            yield from _frames(file, path)
        except EOFError:
            return  # cut short: every complete frame was yielded
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
            "session",
            f"must be a file recorded by Glasstape (version {VERSION}), {path.name} begins with {header!r}",
        )
    total = 0
    while len(head := file.read(_FRAME.size)) == _FRAME.size:
        seconds, kind, length, checksum = _FRAME.unpack(head)
        if length > LARGEST_FRAME or not seconds >= 0:
            raise DataLossError(f"{path.name}: a frame is damaged: {length} bytes at {seconds} s")
        total += length
        if total > LARGEST_SESSION:
            rule = f"must hold at most {LARGEST_SESSION} bytes, {path.name} holds more"
            raise InvalidRequestError.field("session", rule)
        data = file.read(length)
        if len(data) < length:
            return
        if _checksum(seconds, kind, data) != checksum:
            raise DataLossError(f"{path.name}: the frame at {seconds:.1f} s is damaged: wrong checksum")
        if kind in _KINDS:
            yield Frame(seconds, Kind(kind), data)
