"""`glasstape backup`: copy bars, journal and artifacts of a server, which may be running."""

import argparse
import shutil
import sqlite3
import sys
from pathlib import Path

from glasstape_server.cli.arguments import nonempty_path
from glasstape_server.cli.data_folder import ARTIFACTS, DATABASES, LIVE
from glasstape_server.storage.files import creating

HELP = "Back up a server's data folder, also while the server runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--data-dir",
        type=nonempty_path,
        default=Path("glasstape-data"),
        help="data folder of the server (default: %(default)s)",
    )
    parser.add_argument(
        "--to", type=nonempty_path, required=True, metavar="FOLDER", help="new folder for the backup"
    )


def run(options: argparse.Namespace) -> int:
    """Copy and verify; return the exit status. A failed backup leaves no folder."""
    source, target = options.data_dir, options.to
    if not (source / LIVE / DATABASES[0]).is_file():
        print(f"glasstape backup: --data-dir: {source} has no live journal", file=sys.stderr)
        return 1
    if target.exists():
        print(f"glasstape backup: --to: {target} exists; pass a new folder", file=sys.stderr)
        return 1
    try:
        with creating(target) as draft:
            _copy(source, draft)
    except (DamagedBackupError, OSError, sqlite3.DatabaseError) as error:
        print(f"glasstape backup: {error}", file=sys.stderr)
        return 1
    return 0


class DamagedBackupError(Exception):
    """The copy's journal is damaged; the text lists the problems."""


def _copy(source: Path, draft: Path) -> None:
    """Copy databases and artifacts into `draft`.

    Raises:
        DamagedBackupError: the copied journal is damaged.
    """
    from glasstape_server.signals.journal.sqlite.examine import examine
    from glasstape_server.storage.sqlite import copy

    (draft / LIVE).mkdir(parents=True)
    for name in DATABASES:
        copy(source / LIVE / name, draft / LIVE / name)
    # Last, because a model is archived before its first signal: every signal in the backup has its model.
    if (source / ARTIFACTS).is_dir():
        shutil.copytree(source / ARTIFACTS, draft / ARTIFACTS)
    findings = list(examine(draft / LIVE / DATABASES[0]))
    for kind, text in findings:
        if kind != "problem":
            print(text.replace(str(draft), str(source), 1))
    problems = [text for kind, text in findings if kind == "problem"]
    if problems:
        raise DamagedBackupError("; ".join(problems))
