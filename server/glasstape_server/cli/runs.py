"""`glasstape runs`: list, show, compare and export recorded runs."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import nonempty_path
from glasstape_server.cli.recording import FOLDER

if TYPE_CHECKING:
    from glasstape_server.training.run_record import RunRecord
    from glasstape_server.training.run_registry import RunList

HELP = "List, compare and export the recorded runs of train and evaluate"
RUN = "id of a run or its beginning, path of its file, or 'latest'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; without an action it lists."""
    _add_common(parser, default=True)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="list all runs, oldest first (default)")
    show = actions.add_parser("show", help="show data, options and metrics of a run")
    show.add_argument("run", help=RUN)
    compare = actions.add_parser(
        "compare", help="show what differs between runs, and their metrics side by side"
    )
    compare.add_argument("run", nargs="+", help=f"two or more: {RUN}")
    export = actions.add_parser("export", help="export runs to an MLflow tracking server")
    export.add_argument("run", nargs="*", help=f"{RUN} (default: all)")
    export.add_argument(
        "--mlflow", required=True, metavar="URI", help="tracking server, such as http://localhost:5000"
    )
    export.add_argument(
        "--experiment", default="glasstape", help="experiment of the runs (default: %(default)s)"
    )
    for action in (listing, show, compare, export):
        _add_common(action, default=False)


def _add_common(parser: argparse.ArgumentParser, *, default: bool) -> None:
    """Add the options that stand before or after the action."""
    parser.add_argument(
        "--runs",
        action="append",
        type=nonempty_path,
        metavar="FOLDER",
        default=None if default else argparse.SUPPRESS,
        help="folder of runs; repeat it for several (default: runs)",
    )
    parser.add_argument(
        "--json", action="store_true", default=False if default else argparse.SUPPRESS, help="print JSON"
    )


def run(options: argparse.Namespace) -> int:
    """Run the action; return the exit status.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    from glasstape_server.training.run_registry import read_runs

    try:
        folders = options.runs or [Path(FOLDER)]
        runs = read_runs(folders)
        for problem in runs.problems:
            print(f"glasstape runs: skipped {problem}", file=sys.stderr)
        actions = {"show": _show, "compare": _compare, "export": _export}
        if not runs.records:
            print(f"no runs in {', '.join(map(str, folders))}", file=sys.stderr)
        return actions.get(options.action or "", _list)(options, runs)
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        print(f"glasstape runs: {error}", file=sys.stderr)
        return 1


def _list(options: argparse.Namespace, runs: "RunList") -> int:
    from glasstape_server.training.run_comparison import aligned
    from glasstape_server.training.run_record import best_model

    if options.json:
        _print_json([record.model_dump(mode="json") for record in runs.records])
        return 0
    rows: list[Sequence[str]] = [
        ("run", "kind", "status", "seconds", "data", "models", "best", "log loss saved, nats")
    ]
    for record in runs.records:
        best = best_model(record.models)
        rows.append(
            (
                record.id,
                record.kind,
                record.status,
                f"{record.duration_s:,.1f}",
                f"{record.data.sha256[:8]} {record.data.bars:,} bars",
                str(len(record.models)),
                best[0].name if best else "–",
                best[1].to_text() if best else "–",
            )
        )
    print(aligned(rows))
    return 0


def _show(options: argparse.Namespace, runs: "RunList") -> int:
    record = runs.find(options.run)
    if options.json:
        _print_json(record.model_dump(mode="json"))
    else:
        print(record.to_text())
    return 0


def _compare(options: argparse.Namespace, runs: "RunList") -> int:
    from glasstape_server.training.run_comparison import compare

    records = _found(options.run, runs)
    if len(records) < 2:
        raise ValueError(f"compare: must have two runs, has {', '.join(record.id for record in records)}")
    comparison = compare(records)
    if options.json:
        _print_json(comparison.to_dict())
    else:
        print(comparison.to_text())
    return 0


def _export(options: argparse.Namespace, runs: "RunList") -> int:
    from glasstape_server.cli.mlflow_export import export

    records = _found(options.run, runs) if options.run else runs.records
    new, known = export(records, options.mlflow, options.experiment)
    if options.json:
        _print_json({"exported": new, "present": known})
    else:
        print(f"{new} models exported, {known} were there")
    return 0


def _found(names: Sequence[str], runs: "RunList") -> "tuple[RunRecord, ...]":
    """Return the runs of names, each once."""
    return tuple({record.id: record for record in map(runs.find, names)}.values())


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))
