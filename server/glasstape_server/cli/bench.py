"""`glasstape bench`: measure this machine, and what the explanations are worth."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import names, positive

if TYPE_CHECKING:
    from glasstape_server.bench.report import Report

HELP = "measure: latency of a market's close, speed and truth of explanations"
OTHERS = "glasstape.benches"
"""Entry points of benchmarks that are not the server's: HELP, add_arguments, measure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    _add_speed(what)

    truth = what.add_parser("truth", help="do the maps find cells that are known to matter?")
    truth.add_argument("--networks", type=names, default=[], metavar="A,B", help="default: all")
    truth.add_argument(
        "--kinds", type=names, default=[], metavar="A,B", help="known-truth sets (default: all)"
    )
    truth.add_argument("--shapes", type=names, default=["6x8"], metavar="TxF,…", help="default: 6x8")
    truth.add_argument("--seeds", type=positive, default=5, help="trainings of each (default: %(default)s)")
    truth.add_argument(
        "--windows", type=positive, default=256_000, help="training windows (default: %(default)s)"
    )
    truth.add_argument("--epochs", type=positive, default=2, help="passes over them (default: %(default)s)")
    truth.add_argument("--test", type=positive, default=400, help="test windows (default: %(default)s)")
    truth.add_argument(
        "--processes", type=positive, default=2, help="trainings at once (default: %(default)s)"
    )
    truth.add_argument("--out", type=Path, help="write FILE.json and FILE.md")

    methods = what.add_parser(
        "methods", help="what does an explanation cost beside a prediction, and Captum?"
    )
    methods.add_argument("--networks", type=names, default=[], metavar="A,B", help="default: all")
    methods.add_argument("--repeats", type=positive, default=200, help="measurements (default: %(default)s)")

    stress = what.add_parser("stress", help="many concurrent mixed calls: is every answer the right one?")
    stress.add_argument("--requests", type=positive, default=100_000, help="calls (default: %(default)s)")
    stress.add_argument("--in-flight", type=positive, default=64, help="at once (default: %(default)s)")

    synthetic = what.add_parser(
        "synthetic", help="does training find a signal that is known to be there, and none where none is?"
    )
    synthetic.add_argument("--network", default="conv1d", help="default: %(default)s")
    synthetic.add_argument("--symbols", type=positive, default=1200, help="default: %(default)s")
    synthetic.add_argument("--bars", type=positive, default=500, help="of each symbol (default: %(default)s)")
    synthetic.add_argument(
        "--epochs", type=positive, default=10, help="passes at most (default: %(default)s)"
    )
    synthetic.add_argument("--seed", type=int, default=0, help="default: %(default)s")

    published = what.add_parser("published", help="two classes on the splits that papers report")
    published.add_argument("--set", required=True, help="acl18 or kdd17")
    published.add_argument(
        "--data", type=Path, required=True, help="Parquet or CSV file with that set's bars"
    )
    published.add_argument(
        "--networks", type=names, default=["conv1d"], metavar="A,B", help="default: conv1d"
    )
    published.add_argument(
        "--seeds", type=positive, default=5, help="trainings of each (default: %(default)s)"
    )
    published.add_argument(
        "--epochs", type=positive, default=30, help="passes at most (default: %(default)s)"
    )

    training = what.add_parser("training", help="how fast are bars turned into batches, and passes made?")
    training.add_argument("--symbols", type=positive, default=200, help="default: %(default)s")
    training.add_argument("--bars", type=positive, default=4000, help="of each symbol (default: %(default)s)")
    training.add_argument("--networks", type=names, default=[], metavar="A,B", help="default: all")
    training.add_argument(
        "--rounds", type=positive, default=5, help="measurements of each (default: %(default)s)"
    )

    page = what.add_parser("page", help="make the tables of a document anew, such as docs/performance.md")
    page.add_argument("page", type=Path, metavar="FILE")
    page.add_argument("--only", type=names, default=[], metavar="A,B", help="benchmarks (default: all of it)")

    for entry in entry_points(group=OTHERS):
        module = entry.load()
        other = what.add_parser(entry.name, help=module.HELP)
        module.add_arguments(other)
        other.set_defaults(measure=module.measure)


def _add_speed(what: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Benchmarks whose tables make docs/performance.md."""
    calls = {"predict": "calls per second and latency of Predict", "explain": "the same of Explain"}
    for name, text in calls.items():
        parser = what.add_parser(name, help=f"{text}, on both wires, beside a bare gRPC echo")
        _seconds(parser)
    arrivals = what.add_parser("arrivals", help="latency of Predict under calls that arrive by chance")
    _seconds(arrivals)
    engine = what.add_parser("engine", help="predictions and maps on one thread, beside the products alone")
    engine.add_argument("--networks", type=names, default=["conv1d"], metavar="A,B", help="default: conv1d")
    gpu = what.add_parser("gpu", help="is a GPU's every answer the CPU's, and how fast is it?")
    gpu.add_argument("--device", default="cuda", help="default: %(default)s")
    burst = what.add_parser("burst", help="how long a market's bar takes to reach every subscriber")
    _feed(burst, symbols=2000, subscribers=20)
    feed = what.add_parser("feed", help="events a second to many subscribers, and what they cost")
    _feed(feed, symbols=360, subscribers=500)
    feed.add_argument("--closes", type=positive, default=10, help="of one round (default: %(default)s)")
    stuck = what.add_parser("stuck", help="what a reader that never reads costs the others")
    _feed(stuck, symbols=200, subscribers=20)
    stuck.add_argument("--closes", type=positive, default=40, help="of one round (default: %(default)s)")
    sdk = what.add_parser("sdk", help="how many events of the feed one process reads in a second")
    sdk.add_argument("--events", type=positive, default=300_000, help="default: %(default)s")
    sizes = what.add_parser("bytes", help="bytes of an event, a prediction and an explanation on the wire")
    sizes.add_argument("--events", type=positive, default=3000, help="default: %(default)s")
    start = what.add_parser("start", help="how long until the server is ready, and what it holds idle")
    parsers = (
        *(what.choices[name] for name in calls),
        arrivals,
        engine,
        gpu,
        burst,
        feed,
        stuck,
        sdk,
        sizes,
        start,
    )
    for parser in parsers:
        parser.add_argument("--rounds", type=positive, default=5, help="measurements (default: %(default)s)")
        parser.add_argument("--quick", action="store_true", help="only see whether it runs")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")


def _seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=positive, default=3, help="of one measurement (default: %(default)s)"
    )


def _feed(parser: argparse.ArgumentParser, *, symbols: int, subscribers: int) -> None:
    parser.add_argument(
        "--symbols", type=positive, default=symbols, help="bars that close at once (default: %(default)s)"
    )
    parser.add_argument(
        "--subscribers",
        type=positive,
        default=subscribers,
        help="readers of everything (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print a table; returns the exit status."""
    measure = getattr(options, "measure", None) or _RUNS[options.what]
    try:
        print(measure(options))
    except (ValueError, OSError) as error:
        print(f"glasstape bench: {error}", file=sys.stderr)
        return 1
    return 0


def _speed(options: argparse.Namespace) -> str:
    if options.json and not options.json.parent.is_dir():
        raise ValueError(f"--json: there is no folder {options.json.parent}")
    report = _measured(options)
    if options.json:
        report.save(options.json)
    return report.to_markdown()


def _measured(options: argparse.Namespace) -> "Report":
    from glasstape_server.bench import (
        burst,
        calls,
        engine_speed,
        fanout,
        gpu,
        message_bytes,
        open_loop,
        reading,
        starting,
        stuck,
    )

    quick, rounds = options.quick, 1 if options.quick else options.rounds
    match options.what:
        case "engine":
            return engine_speed.run(options.networks, rounds, largest=64 if quick else 4096)
        case "gpu":
            return gpu.run(options.device, rounds, quick=quick)
        case "sdk":
            return reading.run(2000 if quick else options.events, rounds)
        case "bytes":
            return message_bytes.run(200 if quick else options.events)
        case "start":
            return starting.run(rounds)
        case "arrivals":
            return open_loop.run(rounds, 1 if quick else options.seconds)
        case "burst" if quick:
            return burst.run(20, 2, 1)
        case "burst":
            return burst.run(options.symbols, options.subscribers, rounds)
        case "feed" if quick:
            return fanout.run(3, 20, 2, 1)
        case "feed":
            return fanout.run(options.subscribers, options.symbols, options.closes, rounds)
        case "stuck" if quick:
            return stuck.run(2, 20, 3, 1, wait=0.0)
        case "stuck":
            return stuck.run(options.subscribers, options.symbols, options.closes, rounds)
        case what:
            return calls.run(what == "explain", rounds, 1 if quick else options.seconds, quick=quick)


def _page(options: argparse.Namespace) -> str:
    from glasstape_server.bench import page

    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def measure(command: Sequence[str]) -> str:
        return _measured(parser.parse_args(command)).to_markdown()

    return "made anew: " + "; ".join(page.remake(options.page, options.only, measure))


def _truth(options: argparse.Namespace) -> str:
    from glasstape_server.bench import explain_report, explain_truth

    if options.out and not options.out.parent.is_dir():
        raise ValueError(f"--out: there is no folder {options.out.parent}")
    jobs = explain_truth.plan(
        options.networks, options.kinds, options.shapes, options.seeds,
        windows=options.windows, epochs=options.epochs, test=options.test,
    )  # fmt: skip
    outcomes = explain_truth.run(jobs, options.processes)
    text = explain_report.to_markdown(outcomes)
    if options.out:
        options.out.with_suffix(".json").write_text(explain_report.to_json(outcomes))
        options.out.with_suffix(".md").write_text(text)
    return text


def _methods(options: argparse.Namespace) -> str:
    from glasstape_server.bench import method_speed

    return method_speed.run(options.networks, options.repeats)


def _stress(options: argparse.Namespace) -> str:
    from glasstape_server.bench import stress

    report, right = stress.run(options.requests, options.in_flight)
    if not right:
        raise ValueError(report)
    return report


def _synthetic(options: argparse.Namespace) -> str:
    from glasstape_server.bench import synthetic

    found = synthetic.run(options.network, options.symbols, options.bars, options.epochs, options.seed)
    return synthetic.to_text(found, options.network)


def _published(options: argparse.Namespace) -> str:
    from glasstape_server.bench import published

    scored, windows = published.run(
        options.set, options.data, options.networks, options.seeds, options.epochs
    )
    return published.to_text(options.set, scored, windows)


def _training(options: argparse.Namespace) -> str:
    from glasstape_server.bench import training

    return training.run(options.symbols, options.bars, options.networks, options.rounds)


_SPEED = (
    "predict",
    "explain",
    "arrivals",
    "engine",
    "gpu",
    "burst",
    "feed",
    "stuck",
    "sdk",
    "bytes",
    "start",
)
_RUNS = {
    "truth": _truth,
    **dict.fromkeys(_SPEED, _speed),
    "page": _page,
    "methods": _methods,
    "stress": _stress,
    "synthetic": _synthetic,
    "published": _published,
    "training": _training,
}
