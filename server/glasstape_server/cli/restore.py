"""`glasstape restore`: put a backup where a server will find it."""

import argparse
import shutil
import sqlite3
import sys
from pathlib import Path

from glasstape_server.cli.data_folder import ARTEFACTS, DATABASES, LIVE, Held, held, journal_of

HELP = "start again from a copy that `glasstape backup` made"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--data-dir", type=Path, default=Path("glasstape-data"), help="default: %(default)s")
    parser.add_argument("--from", type=Path, required=True, metavar="FOLDER", dest="source", help="the copy")


def run(options: argparse.Namespace) -> int:
    """Restore; what was there before is kept beside it. Returns the exit status."""
    from glasstape_server.signals.journal.sqlite.examine import examine

    source, target = options.source, options.data_dir
    problems = [text for kind, text in examine(journal_of(source)) if kind == "problem"]
    bars = source / LIVE / DATABASES[1]
    if not problems and not bars.is_file():
        problems = [f"{bars}: there are no bars to this journal"]
    if problems:
        print("glasstape restore: " + "; ".join(problems), file=sys.stderr)
        return 1
    try:
        target.mkdir(parents=True, exist_ok=True)
        with held(target):
            kept = _replace(source, target)
    except (Held, OSError, sqlite3.DatabaseError) as error:
        print(f"glasstape restore: {error}", file=sys.stderr)
        return 1
    print(
        f"restored {source} into {target}; readers of the feed start anew"
        + (f"; before: {kept}" if kept else "")
    )
    return 0


def _replace(source: Path, target: Path) -> Path | None:
    """Swap the live folder for the copy; returns where the old one is."""
    from glasstape_server.signals.journal.sqlite.repair import begin_history
    from glasstape_server.storage.files import restoring, sync
    from glasstape_server.storage.sqlite import copy

    live, kept = target / LIVE, None
    draft = restoring(live)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name in DATABASES:
        copy(source / LIVE / name, draft / name)
    begin_history(draft / DATABASES[0])
    if (source / ARTEFACTS).is_dir():
        shutil.copytree(source / ARTEFACTS, target / ARTEFACTS, dirs_exist_ok=True, symlinks=True)
    if live.exists():
        kept = next(p for n in range(1, 1000) if not (p := target / f"{LIVE}.before-{n}").exists())
        live.rename(kept)
    draft.rename(live)
    sync(target)
    return kept
