"""`glasstape conformance`: check a client in any language against the rules of the contract."""

import argparse
import sys
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, print_json

if TYPE_CHECKING:
    from glasstape.conformance import Verdict

HELP = "check a client in any language against the rules of the contract"
EXAMPLE = "python client.py {address} {action} {token} {seconds}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_json(parser)
    parser.add_argument(
        "command",
        nargs="?",
        help=f"how to start the client, such as '{EXAMPLE}': address of a server; what to do: follow, "
        "'predict SYMBOL…' or 'publish FILE' (without {action}, only scenarios that follow are run); "
        "file to store the token in; and seconds to follow",
    )
    parser.add_argument("scenarios", nargs="*", help="only these scenarios (default: all)")
    parser.add_argument(
        "--at-once",
        type=int,
        default=4,
        choices=range(1, 33),
        metavar="1-32",
        help="clients at once (default: 4)",
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios and exit")


def run(options: argparse.Namespace) -> int:
    """Check; returns the exit status."""
    from glasstape.conformance import ordered
    from glasstape.conformance import run as run_scenarios

    if options.list:
        for each in ordered():
            print(f"{each.name:48} {each.text}")
        return 0
    if options.command is None:
        print("glasstape conformance: command: must be given, see --help", file=sys.stderr)
        return 2
    failed = passed = 0
    try:
        for verdict in run_scenarios(options.command, options.scenarios, options.at_once):
            passed += not verdict.failure and not verdict.skipped
            failed += bool(verdict.failure)
            _show(verdict, as_json=options.json)
    except (ValueError, OSError) as error:
        print(f"glasstape conformance: {error}", file=sys.stderr)
        return 2
    if not options.json:
        print(f"{passed} of {passed + failed} scenarios passed")
    return 1 if failed else 0


def _show(verdict: "Verdict", *, as_json: bool) -> None:
    name = verdict.scenario.name
    if as_json:
        state = {"failure": verdict.failure, "skipped": verdict.skipped, "seconds": round(verdict.seconds, 3)}
        print_json({"scenario": name, **state})
        return
    if verdict.skipped:
        print(f"{name:48} skipped: {verdict.skipped}", flush=True)
    elif not verdict.failure:
        print(f"{name:48} passed", flush=True)
    else:
        print(f"{name:48} FAILED: {verdict.failure}\n    {verdict.scenario.text}", flush=True)
        for line in verdict.errors.splitlines():
            print(f"    {line}", flush=True)
