"""Bar files: what a trader has as text, read right or refused in words."""

from glasstape.barfile.errors import KINDS, BarFileError
from glasstape.barfile.options import BarFileOptions, clock_of, close_of
from glasstape.barfile.paths import bar_file_paths
from glasstape.barfile.reader import BarFile, read_bar_file

__all__ = [
    "KINDS",
    "BarFile",
    "BarFileError",
    "BarFileOptions",
    "bar_file_paths",
    "clock_of",
    "close_of",
    "read_bar_file",
]
