"""Text of a bar file: what it is by its first bytes, and its characters."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from glasstape.barfile.errors import BarFileError

PROBE_BYTES = 1 << 16
SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".parquet", ".pq")
"""Suffixes that are not part of a symbol."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or a workbook (.xlsx); save its sheet as CSV"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "a workbook (.xls); save its sheet as CSV"),
    (b"PAR1", "Parquet"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (b"%PDF", "a PDF document"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it"),
    (b"BZh", "compressed with bzip2; decompress it"),
    (b"\xfd7zXZ\x00", "compressed with xz; decompress it"),
    (b"7z\xbc\xaf", "a 7z archive; extract it"),
    (b"ARROW1", "an Arrow file; save it as Parquet or CSV"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file; save it as Parquet or CSV"),
    (b"\x80\x04\x95", "a Python pickle, which may carry code; save it as Parquet or CSV"),
)
_GZIP = b"\x1f\x8b"
_HANGUL = range(0xAC00, 0xD7A4)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How bytes of a file become text."""

    encoding: str
    compressed: bool


def text_format(path: Path) -> TextFormat:
    """Return encoding and compression of a text file, by its content.

    Raises:
        BarFileError: unreadable, a folder, or no text: the message says what it is.
    """
    with _reported(path):
        if path.is_dir():
            raise BarFileError(f"{path}: is a folder; list its files")
        head = _head(path, compressed=False)
        compressed = head.startswith(_GZIP)
        if compressed:
            head = _head(path, compressed=True)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            raise BarFileError(f"{path}: is {name}, expected CSV")
    encoding = _encoding(head, path)
    _check_markup(head.decode(encoding, errors="ignore"), path)
    return TextFormat(encoding, compressed)


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, by its first bytes; False if it cannot be read."""
    try:
        return path.is_file() and _head(path, compressed=False).startswith(b"PAR1")
    except OSError:
        return False


@contextmanager
def opened(path: Path, form: TextFormat) -> Iterator[IO[str]]:
    """Open a file as text; every kind of line end becomes a line feed.

    Raises:
        BarFileError: reading failed, in the body of the `with` statement too.
    """
    with _reported(path), _binary(path, form.compressed) as file:
        yield io.TextIOWrapper(file, encoding=form.encoding)


def text_blocks(path: Path, form: TextFormat, size: int) -> Iterator[str | bytes]:
    """Yield a file's text in blocks of whole lines; UTF-8 with line feeds only is left encoded.

    Args:
        path: the file.
        form: of its text.
        size: of a block, about, in bytes or characters.

    Raises:
        BarFileError: reading failed.
    """
    if not form.encoding.startswith("utf-8"):
        with opened(path, form) as text:
            while characters := text.read(size):
                yield characters + text.readline()
        return
    with _reported(path), _binary(path, form.compressed) as file:
        first = True
        while block := file.read(size):
            block += file.readline()
            if first:
                block, first = block.removeprefix(codecs.BOM_UTF8), False
            yield block if b"\r" not in block else block.decode().replace("\r\n", "\n").replace("\r", "\n")


def ends_with_newline(path: Path, form: TextFormat) -> bool:
    """Return whether the last line of an uncompressed file is complete; True for compressed ones."""
    if form.compressed:
        return True
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 4))
        tail = file.read()
    return not tail or b"\n" in tail or b"\r" in tail


def symbol_of(path: Path) -> str:
    """Return the symbol that a file is named after: its name without known suffixes."""
    name = path.name
    while (suffix := next((end for end in SUFFIXES if name.lower().endswith(end)), "")) and name != suffix:
        name = name[: -len(suffix)]
    return name


def _head(path: Path, *, compressed: bool) -> bytes:
    with _binary(path, compressed) as file:
        return file.read(PROBE_BYTES)


def _binary(path: Path, compressed: bool) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if compressed else path.open("rb")


def _encoding(head: bytes, path: Path) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if b"\x00" in head:
        for name in ("utf-16-le", "utf-16-be"):
            if _zeros_of(name, head):
                return name
        raise BarFileError(f"{path}: holds zero bytes, expected CSV")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return "utf-8"
    except UnicodeDecodeError as error:
        at = error.start
    try:
        text = codecs.getincrementaldecoder("cp949")().decode(head)
    except UnicodeDecodeError:
        text = ""
    # Other 8-bit encodings decode as CP949, too, into rare characters: only common syllables prove it.
    foreign = [character for character in text if ord(character) > 127]
    if foreign and sum(ord(character) in _HANGUL for character in foreign) > 0.9 * len(foreign):
        return "cp949"
    raise BarFileError(
        f"{path}: byte {at} (0x{head[at]:02x}) is neither UTF-8 nor Korean CP949; save the file as UTF-8"
    )


def _zeros_of(name: str, head: bytes) -> bool:
    """Return whether zero bytes are where a UTF-16 of mostly ASCII has them."""
    zeros = head[1::2] if name == "utf-16-le" else head[0::2]
    others = head[0::2] if name == "utf-16-le" else head[1::2]
    # Characters such as U+AC00 have a zero in the other byte.
    return zeros.count(0) > 0.4 * len(zeros) and zeros.count(0) > 4 * others.count(0)


def _check_markup(text: str, path: Path) -> None:
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    if start.startswith(
        ("<!doctype", "<html", "<table", "<?xml", "<head", "<body", "<script", "<!--", "<div")
    ):
        raise BarFileError(f"{path}: is HTML or XML, expected CSV")
    if start.startswith(("{", "[{", "[[", '["')):
        raise BarFileError(f"{path}: is JSON, expected CSV")
    if not start:
        raise BarFileError(f"{path}: is empty: there are no bars")


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise BarFileError(f"{path}: is not {error.encoding} throughout; save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BarFileError(f"{path}: cannot be read: {reason}") from None
