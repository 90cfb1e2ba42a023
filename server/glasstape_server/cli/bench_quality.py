"""Benchmarks of explanations, training and correctness under load."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import Subparsers, names, nonempty_path, positive

if TYPE_CHECKING:
    from glasstape_server.bench.explain_truth import TruthResult


def add_benchmarks(benchmarks: Subparsers) -> None:
    """Add a parser for each benchmark."""
    truth = _add(benchmarks, "truth", "score the maps of each method against known salient cells", _truth)
    _add_networks(truth)
    truth.add_argument(
        "--kinds", type=names, default=[], metavar="A,B", help="known-truth sets (default: all)"
    )
    truth.add_argument(
        "--shapes", type=names, default=["6x8"], metavar="TxF,…", help="shapes of the windows (default: 6x8)"
    )
    _add_counts(truth, seeds=5, epochs=2)
    truth.add_argument(
        "--windows", type=positive, default=256_000, help="training windows (default: %(default)s)"
    )
    truth.add_argument("--test", type=positive, default=400, help="test windows (default: %(default)s)")
    truth.add_argument(
        "--processes", type=positive, default=2, help="trainings at once (default: %(default)s)"
    )
    truth.add_argument(
        "--pairs", type=names, default=[], metavar="A/B,…",
        help="maps to compare, such as occlusion.log_probability/gradient (default: six pairs)",
    )  # fmt: skip
    truth.add_argument("--out", type=nonempty_path, help="also write the results to OUT.json and OUT.md")
    truth.add_argument(
        "--maps",
        type=nonempty_path,
        metavar="FILE",
        help="also write a record of each map (.jsonl or .parquet)",
    )

    trust = _add(benchmarks, "trust", "fit the trust in maps on records of `bench truth --maps`", _trust)
    trust.add_argument(
        "records", type=nonempty_path, nargs="+", metavar="FILE", help="records of maps (.jsonl or .parquet)"
    )
    trust.add_argument(
        "--out", type=nonempty_path, metavar="FILE", help="also write the regression, as trust.json"
    )

    methods = _add(
        benchmarks, "methods", "measure explanations relative to predictions and to Captum", _methods
    )
    _add_networks(methods)
    methods.add_argument("--repeats", type=positive, default=200, help="repetitions (default: %(default)s)")

    stress = _add(benchmarks, "stress", "check every response under many concurrent mixed calls", _stress)
    stress.add_argument("--requests", type=positive, default=100_000, help="calls (default: %(default)s)")
    stress.add_argument("--in-flight", type=positive, default=64, help="calls at once (default: %(default)s)")

    synthetic = _add(
        benchmarks, "synthetic", "compare training on a known signal with the Bayes accuracy", _synthetic
    )
    synthetic.add_argument("--network", default="conv1d", help="network (default: %(default)s)")
    synthetic.add_argument("--symbols", type=positive, default=1200, help="symbols (default: %(default)s)")
    synthetic.add_argument(
        "--bars", type=positive, default=500, help="bars per symbol (default: %(default)s)"
    )
    _add_counts(synthetic, epochs=10)
    synthetic.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")

    drift = _add(benchmarks, "drift", "count when drift is reported on replays of simulated markets", _drift)
    drift.add_argument(
        "--replays", type=positive, default=100, help="replays of each market (default: %(default)s)"
    )
    drift.add_argument(
        "--sessions", type=positive, default=250, help="sessions of each replay (default: %(default)s)"
    )
    track = _add(benchmarks, "track", "count how many intervals of track records cover a known edge", _track)
    track.add_argument(
        "--markets", type=positive, default=1000, help="simulated markets of each kind (default: %(default)s)"
    )
    track.add_argument(
        "--sessions", type=positive, default=60, help="sessions of each market (default: %(default)s)"
    )
    track.add_argument(
        "--symbols", type=positive, default=20, help="symbols of each market (default: %(default)s)"
    )
    skill = _add(benchmarks, "skill", "measure the skill check of networks trained on noise", _skill)
    skill.add_argument("--network", default="conv1d", help="network (default: %(default)s)")
    skill.add_argument("--runs", type=positive, default=40, help="markets (default: %(default)s)")
    skill.add_argument(
        "--symbols", type=positive, default=10, help="symbols per market (default: %(default)s)"
    )
    skill.add_argument("--bars", type=positive, default=700, help="bars per symbol (default: %(default)s)")
    _add_counts(skill, epochs=40)

    published = _add(
        benchmarks, "published", "train and test on the data splits of published papers", _published
    )
    published.add_argument("--set", required=True, help="acl18 or kdd17")
    published.add_argument(
        "--data", type=nonempty_path, required=True, help="CSV or Parquet file of the set's bars"
    )
    _add_networks(published, default="conv1d")
    _add_counts(published, seeds=5, epochs=30)

    training = _add(
        benchmarks, "training", "measure reading bars into batches, and training epochs", _training
    )
    files = _add(benchmarks, "files", "measure reading files of bars", _files)
    files.add_argument("--rows", type=positive, default=2_000_000, help="rows (default: %(default)s)")
    files.add_argument("--rounds", type=positive, default=5, help="rounds (default: %(default)s)")
    training.add_argument("--symbols", type=positive, default=200, help="symbols (default: %(default)s)")
    training.add_argument(
        "--bars", type=positive, default=4000, help="bars per symbol (default: %(default)s)"
    )
    _add_networks(training)
    training.add_argument("--rounds", type=positive, default=5, help="rounds (default: %(default)s)")


def _add(
    benchmarks: Subparsers, name: str, text: str, measure: Callable[[argparse.Namespace], str]
) -> argparse.ArgumentParser:
    parser = benchmarks.add_parser(name, help=text)
    parser.set_defaults(measure=measure)
    return parser


def _add_networks(parser: argparse.ArgumentParser, default: str = "") -> None:
    parser.add_argument(
        "--networks",
        type=names,
        default=[default] if default else [],
        metavar="A,B",
        help=f"networks (default: {default or 'all'})",
    )


def _add_counts(parser: argparse.ArgumentParser, *, epochs: int, seeds: int = 0) -> None:
    if seeds:
        parser.add_argument(
            "--seeds", type=positive, default=seeds, help="seeds per network (default: %(default)s)"
        )
    parser.add_argument(
        "--epochs", type=positive, default=epochs, help="largest number of epochs (default: %(default)s)"
    )


def _truth(options: argparse.Namespace) -> str:
    from glasstape_server.bench import explain_report, explain_truth, map_comparison, map_records, truth_task

    pairs = map_comparison.parse_pairs(options.pairs) or map_comparison.PAIRS
    if options.maps:
        map_records.check_path(options.maps)
    if options.out and not options.out.parent.is_dir():
        raise ValueError(f"--out: folder {options.out.parent} does not exist")
    tasks = truth_task.plan(
        options.networks, options.kinds, options.shapes, options.seeds,
        windows=options.windows, epochs=options.epochs, test=options.test,
    )  # fmt: skip
    results = explain_truth.run(tasks, options.processes, _print_progress)
    text = explain_report.to_markdown(results, pairs)
    if options.out:
        options.out.with_suffix(".json").write_text(explain_report.to_json(results))
        options.out.with_suffix(".md").write_text(text)
    if options.maps:
        map_records.write([result.maps for result in results], options.maps)
    return text


def _trust(options: argparse.Namespace) -> str:
    from glasstape_server.bench import map_records, trust_fit

    table = trust_fit.table_of(map_records.read(options.records))
    if options.out:
        options.out.write_text(trust_fit.fit_trust(table).model_dump_json(indent=1) + "\n")
    return trust_fit.to_markdown(table)


def _print_progress(result: "TruthResult") -> None:
    task = result.task
    labels = ", shuffled labels" if task.permuted else ""
    print(
        f"{task.architecture}, {task.kind}, {task.shape}, seed {task.seed}{labels}: "
        f"accuracy {result.accuracy:.3f}, {result.explained} windows explained",
        file=sys.stderr,
    )


def _methods(options: argparse.Namespace) -> str:
    from glasstape_server.bench import method_speed

    return method_speed.run(options.networks, options.repeats)


def _stress(options: argparse.Namespace) -> str:
    from glasstape_server.bench import stress

    report, correct = stress.run(options.requests, options.in_flight)
    if not correct:
        raise ValueError(report)
    return report


def _synthetic(options: argparse.Namespace) -> str:
    from glasstape_server.bench import synthetic

    results = synthetic.run(options.network, options.symbols, options.bars, options.epochs, options.seed)
    return synthetic.to_text(results, options.network)


def _drift(options: argparse.Namespace) -> str:
    from glasstape_server.bench import drift_replay

    return drift_replay.run(options.replays, options.sessions)


def _track(options: argparse.Namespace) -> str:
    from glasstape_server.bench import track_coverage

    return track_coverage.run(options.markets, options.sessions, options.symbols)


def _skill(options: argparse.Namespace) -> str:
    from glasstape_server.bench import skill_bias

    results = skill_bias.run(options.network, options.runs, options.symbols, options.bars, options.epochs)
    return skill_bias.to_text(results, options.network)


def _published(options: argparse.Namespace) -> str:
    from glasstape_server.bench import published

    scores, windows = published.run(
        options.set, options.data, options.networks, options.seeds, options.epochs
    )
    return published.to_text(options.set, scores, windows)


def _files(options: argparse.Namespace) -> str:
    from glasstape_server.bench import files

    return files.run(options.rows, options.rounds).to_markdown()


def _training(options: argparse.Namespace) -> str:
    from glasstape_server.bench import training

    return training.run(options.symbols, options.bars, options.networks, options.rounds)
