"""Files of bars by name, folder or pattern."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from glasstape.barfile.errors import BarFileError

ENDINGS = tuple(
    f"{end}{packed}" for end in (".csv", ".tsv", ".txt", ".parquet", ".pq") for packed in ("", ".gz")
)
"""Ends of the names of bar files in a folder."""
SIDE_ENDING = ".instruments.csv"
"""End of the names of tables of instruments, which are no bar files."""


def bar_file_paths(names: Iterable[str | Path]) -> list[Path]:
    """Return the files that names stand for, each once, in the order of the names.

    A name is that of a file, of a folder, or a pattern with `*`, `?` or `[…]`, where `**` stands for any number of
    folders. A folder stands for the bar files in it and in its subfolders, ordered by path: those with a name that
    ends in one of `ENDINGS`, begins with no dot and is not that of a table of instruments. A pattern stands for the
    files and folders that match it, without hidden files and tables of instruments. A name without a file is returned
    as it is, for the reader to report.

    Raises:
        BarFileError: a name is empty, a folder or a pattern stands for no file, or a folder cannot be read.
    """
    found: dict[Path, Path] = {}
    for name in names:
        for path in _files_of(name):
            found.setdefault(path.absolute(), path)
    return list(found.values())


def _files_of(name: str | Path) -> list[Path]:
    if not str(name):
        raise BarFileError("files of bars: a name is empty")
    path = Path(name)
    if path.is_dir():
        files = list(_in_folder(path))
        if not files:
            raise BarFileError(
                f"{name}: the folder holds no file whose name ends in {', '.join(ENDINGS[::2])}"
            )
        return files
    if path.exists() or not glob.has_magic(str(name)):
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(str(name), recursive=True))]  # noqa: PTH207, for absolute patterns
    files = [
        file
        for match in matches
        for file in (_in_folder(match) if match.is_dir() else [match])
        if not file.name.endswith(SIDE_ENDING)
    ]
    if not files:
        raise BarFileError(f"{name}: no file matches the pattern")
    return files


def _in_folder(folder: Path) -> Iterator[Path]:
    """Yield the bar files of a folder and of its subfolders, ordered by path.

    Raises:
        BarFileError: it cannot be read.
    """
    for parent, folders, names in os.walk(folder, onerror=_report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            small = name.lower()
            if small.endswith(ENDINGS) and not small.endswith(SIDE_ENDING) and not name.startswith("."):
                yield Path(parent, name)


def _report(error: OSError) -> None:
    raise BarFileError(f"{error.filename}: cannot be read: {error.strerror}") from None
