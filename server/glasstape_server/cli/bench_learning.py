"""`glasstape bench learning`: compare networks, trees and ensembles on files of bars."""

import argparse

from glasstape_server.cli.arguments import Subparsers, names, positive
from glasstape_server.cli.data import DataSource, add_data, add_labels, label_rule

CANDIDATES = ("conv1d", "lightgbm", "conv1d+lightgbm")


def add_benchmark(benchmarks: Subparsers) -> None:
    """Add the parser of the benchmark."""
    parser = benchmarks.add_parser("learning", help="compare networks, trees and ensembles on files of bars")
    add_data(parser)
    add_labels(parser)
    parser.add_argument(
        "--sets",
        type=names,
        default=["set1", "set2"],
        metavar="A,B",
        help="feature sets or files, in place of --features (default: set1,set2)",
    )
    parser.add_argument(
        "--candidates",
        type=names,
        default=list(CANDIDATES),
        metavar="A,B",
        help=f"networks, trees, and ensembles such as conv1d+lightgbm (default: {','.join(CANDIDATES)})",
    )
    for name, default, text in (
        ("folds", 5, "number of folds"),
        ("seeds", 1, "number of seeds per candidate"),
        ("epochs", 10, "largest number of epochs"),
        ("windows", 200_000, "largest number of training windows per fit"),
        ("processes", 1, "number of fits at once"),
    ):
        parser.add_argument(
            f"--{name}", type=positive, default=default, help=f"{text} (default: %(default)s)"
        )
    parser.set_defaults(measure=_learning)


def _learning(options: argparse.Namespace) -> str:
    from glasstape_server.bench import learning
    from glasstape_server.cli.architectures import architectures
    from glasstape_server.cli.feature_file import read_spec
    from glasstape_server.cli.progress import Progress
    from glasstape_server.evaluation.candidates import EvaluationPlan
    from glasstape_server.training import dataset

    members = learning.check_candidates(options.candidates)
    if set(members) & {"all"}:
        raise ValueError("--candidates: must name each candidate, has all")
    architectures(members)
    specs = {name: read_spec(name, options.window, options.session_gap) for name in options.sets}
    if not specs:
        raise ValueError("--sets: must name a feature set, is empty")
    rule = label_rule(options)
    source = DataSource(argparse.Namespace(**vars(options) | {"features": options.sets[0]}))
    if not source.inspect():
        raise ValueError("the data is rejected; nothing was fitted")
    data = {
        name: dataset.build(source.chunks(), options.interval, spec, rule, source.time_zone)
        for name, spec in specs.items()
    }
    plan = EvaluationPlan(
        candidates=members, folds=options.folds, seeds=options.seeds, epochs=options.epochs,
        windows=options.windows, rule=rule,
    )  # fmt: skip
    with Progress() as progress:
        task = progress.task("learning", "fit")
        table = learning.run(
            data, options.candidates, plan, options.interval, options.processes,
            lambda done, total, text: task.update(done, text, total),
        )  # fmt: skip
    return table.to_markdown()
