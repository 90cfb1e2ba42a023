"""Compare Glasstape with other model servers. Installs about 6 GB; TorchServe needs Java, the load needs h2load."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glasstape_server.bench import page
from glasstape_server.bench.report import BenchmarkReport
from glasstape_server.cli.arguments import names, positive

from benchmarks.peers import compare
from benchmarks.peers.kinds import PEERS

MARK = "benchmarks"
"""First word of the comment that encloses the table in a document: `<!-- benchmarks peers --rounds 3 -->`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        if options.page:
            print("updated: " + "; ".join(page.update_tables(options.page, ["peers"], _table, mark=MARK)))
            return 0
        report = _measured(options)
        if options.json:
            report.save(options.json)
        print(report.to_markdown())
    except (ValueError, OSError) as error:
        print(f"benchmarks.peers: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.peers", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--seconds", type=positive, default=3, help="duration of one measurement (default: %(default)s)"
    )
    parser.add_argument(
        "--only", type=names, default=[], metavar="A,B", help=f"{', '.join(PEERS)} (default: all)"
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path("build/peers"),
        metavar="FOLDER",
        help="folder of one virtual environment per server (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=positive, default=5, help="measurements (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="run once, briefly, to see whether it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement to a file")
    parser.add_argument("--page", type=Path, metavar="FILE", help="update the table in a document")
    return parser


def _check(options: argparse.Namespace) -> None:
    """Raise ValueError if the file of --json cannot be written where it is wanted."""
    if options.json and not options.json.parent.is_dir():
        raise ValueError(f"--json: there is no folder {options.json.parent}")


def _table(command: Sequence[str]) -> str:
    """Measure as the comment in a document says: "peers", then options."""
    return _measured(_parser().parse_args(command[1:])).to_markdown()


def _measured(options: argparse.Namespace) -> BenchmarkReport:
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    return compare.run(options.only, options.environments.resolve(), rounds, seconds, quick=options.quick)


if __name__ == "__main__":
    sys.exit(main())
