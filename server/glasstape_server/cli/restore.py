"""`glasstape restore`: replace a data folder's history with a backup."""

import argparse
import shutil
import sqlite3
import sys
from pathlib import Path

from glasstape_server.cli.arguments import nonempty_path
from glasstape_server.cli.data_folder import (
    ARTIFACTS,
    DATABASES,
    LIVE,
    FolderInUseError,
    journal_of,
    lock_folder,
)

HELP = "Restore a backup made by `glasstape backup`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--data-dir",
        type=nonempty_path,
        default=Path("glasstape-data"),
        help="data folder to restore to (default: %(default)s)",
    )
    parser.add_argument(
        "--from",
        type=nonempty_path,
        required=True,
        metavar="FOLDER",
        dest="source",
        help="folder of the backup",
    )


def run(options: argparse.Namespace) -> int:
    """Restore; return the exit status. The previous history is kept as `live.before-N`."""
    from glasstape_server.signals.journal.sqlite.examine import examine

    source, target = options.source, options.data_dir
    problems = [text for kind, text in examine(journal_of(source)) if kind == "problem"]
    bars = source / LIVE / DATABASES[1]
    if not problems and not bars.is_file():
        problems = [f"{bars}: the backup has no bars"]
    if problems:
        print("glasstape restore: " + "; ".join(problems), file=sys.stderr)
        return 1
    try:
        target.mkdir(parents=True, exist_ok=True)
        with lock_folder(target):
            kept = _replace(source, target)
    except (FolderInUseError, OSError, sqlite3.DatabaseError) as error:
        print(f"glasstape restore: {error}", file=sys.stderr)
        return 1
    print(
        f"restored {source} to {target}; the journal begins a new epoch"
        + (f"; previous history: {kept}" if kept else "")
    )
    return 0


def _replace(source: Path, target: Path) -> Path | None:
    """Replace the live folder with the backup; return the path of the old one, if any."""
    from glasstape_server.signals.journal.sqlite.repair import begin_history
    from glasstape_server.storage.files import install, restore_draft
    from glasstape_server.storage.sqlite import copy

    live, kept = target / LIVE, None
    draft = restore_draft(live)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name in DATABASES:
        copy(source / LIVE / name, draft / name)
    begin_history(draft / DATABASES[0])
    if (source / ARTIFACTS).is_dir():
        shutil.copytree(source / ARTIFACTS, target / ARTIFACTS, dirs_exist_ok=True, symlinks=True)
    if live.exists():
        kept = next(p for n in range(1, 1000) if not (p := target / f"{LIVE}.before-{n}").exists())
        live.rename(kept)
    install(draft, live)
    return kept
