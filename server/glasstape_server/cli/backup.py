"""`glasstape backup`: copy a server's bars, journal and artifacts while it runs."""

import argparse
import shutil
import sqlite3
import sys
from pathlib import Path

from glasstape_server.cli.data_folder import ARTEFACTS, DATABASES, LIVE

HELP = "copy a server's data folder, which may be in use"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--data-dir", type=Path, default=Path("glasstape-data"), help="default: %(default)s")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a new folder for the copy")


def run(options: argparse.Namespace) -> int:
    """Copy and check the copy; a copy that fails leaves no folder. Returns the exit status."""
    source, target = options.data_dir, options.to
    if not (source / LIVE / DATABASES[0]).is_file():
        print(f"glasstape backup: --data-dir: {source} holds no live journal", file=sys.stderr)
        return 1
    if target.exists():
        print(f"glasstape backup: --to: {target} is there already; name a new folder", file=sys.stderr)
        return 1
    draft = target.with_name(target.name + ".incomplete")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        problems = _copy(source, draft)
        if not problems:
            draft.rename(target)
    except (OSError, sqlite3.DatabaseError) as error:
        problems = [str(error)]
    if problems:
        shutil.rmtree(draft, ignore_errors=True)
        print("glasstape backup: " + "; ".join(problems), file=sys.stderr)
        return 1
    return 0


def _copy(source: Path, draft: Path) -> list[str]:
    from glasstape_server.signals.journal.sqlite.examine import examine
    from glasstape_server.storage.sqlite import copy

    (draft / LIVE).mkdir(parents=True)
    for name in DATABASES:
        copy(source / LIVE / name, draft / LIVE / name)
    # Last: a model is archived before its first signal, so no signal of the copy lacks its model.
    if (source / ARTEFACTS).is_dir():
        shutil.copytree(source / ARTEFACTS, draft / ARTEFACTS)
    findings = list(examine(draft / LIVE / DATABASES[0]))
    for kind, text in findings:
        if kind != "problem":
            print(text.replace(str(draft), str(source), 1))
    return [text for kind, text in findings if kind == "problem"]
