"""Text files as editors and shells of all systems save them: UTF-8 or UTF-16, with a byte order mark or without."""

import codecs
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_text(content: bytes, name: str | Path) -> str:
    """Return the text of a file's content, without its byte order mark.

    Args:
        content: UTF-8, UTF-16 or UTF-32. Without a mark, UTF-16 is recognized by the zero bytes of ASCII characters.
        name: of the file, for the error.

    Raises:
        ValueError: it is no such text.
    """
    encoding, start = _encoding_of(content)
    try:
        return content[start:].decode(encoding)
    except UnicodeDecodeError as error:
        at = start + error.start
        raise ValueError(
            f"{name}: byte {at} (0x{content[at]:02x}) is not {encoding[:6].upper()} text; save the file as UTF-8"
        ) from None


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ValueError: it is neither UTF-8 nor UTF-16.
        OSError: it cannot be read.
    """
    return decode_text(path.read_bytes(), path)


def read_pem(path: Path) -> bytes:
    """Return the content of a PEM file as UTF-8 without a byte order mark.

    Raises:
        ValueError: it is no text, or not PEM.
        OSError: it cannot be read.
    """
    text = read_text(path)
    if "-----BEGIN" not in text:
        raise ValueError(f"{path}: must be PEM")
    return text.encode()


def _encoding_of(content: bytes) -> tuple[str, int]:
    """Return the encoding, and the length of the mark."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding, len(mark)
    even, odd = content[0:4096:2].count(0), content[1:4096:2].count(0)
    if odd > 4 * even:
        return "utf-16-le", 0
    if even > 4 * odd:
        return "utf-16-be", 0
    return "utf-8", 0
