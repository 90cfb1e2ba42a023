"""`glasstape evaluate`: evaluate networks and baselines by walk-forward."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.architectures import add_head, architectures, check_shape, has_rank_head
from glasstape_server.cli.arguments import names, nonempty_path, positive
from glasstape_server.cli.book_options import add_book, check_top
from glasstape_server.cli.data import DataSource, add_data, add_labels, add_rolling, feature_spec, label_rule
from glasstape_server.cli.evaluated_books import evaluated_books, wants_books
from glasstape_server.cli.recording import add_runs, add_save_predictions
from glasstape_server.domain.times import duration_text

if TYPE_CHECKING:
    from glasstape_server.cli.recording import Recording
    from glasstape_server.evaluation.candidates import EvaluationPlan, FoldResult
    from glasstape_server.evaluation.evaluation_result import Evaluation
    from glasstape_server.evaluation.leak_checks import LeakCheck

HELP = "Evaluate networks and baselines by walk-forward, with confidence intervals, costs and leak checks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data(parser)
    add_labels(parser)
    parser.add_argument(
        "--arch",
        type=names,
        default=["conv1d"],
        metavar="A,B",
        help="networks, trees, lightgbm, or 'all' (default: conv1d)",
    )
    add_head(parser)
    parser.add_argument(
        "--rank-top",
        type=positive,
        metavar="K",
        help="symbols of the top-k test of each close (default: a tenth of them)",
    )
    parser.add_argument("--folds", type=positive, default=5, help="number of folds (default: %(default)s)")
    add_rolling(parser)
    parser.add_argument("--seeds", type=positive, default=1, help="number of seeds per network (default: 1)")
    parser.add_argument(
        "--epochs", type=positive, default=10, help="largest number of epochs (default: %(default)s)"
    )
    parser.add_argument(
        "--windows",
        type=positive,
        default=200_000,
        help="largest number of training windows per fit (default: 200000)",
    )
    parser.add_argument(
        "--cost",
        type=float,
        default=0.001,
        help="cost of a change of position, as a share of the price, 0-0.1 (default: %(default)s)",
    )
    parser.add_argument(
        "--processes", type=positive, default=2, help="number of fits at once (default: %(default)s)"
    )
    add_runs(parser)
    add_save_predictions(parser)
    parser.add_argument(
        "--out",
        type=nonempty_path,
        default=Path("evaluation"),
        help="output folder of report.html and metrics.json (default: evaluation)",
    )
    add_book(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status: 1 if a leak check fails.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    from concurrent.futures.process import BrokenProcessPool

    from glasstape_server.cli.recording import Recording
    from glasstape_server.storage import temporary

    try:
        temporary.check_space()  # before the fits, and before matplotlib looks for a folder of its own
    except OSError as error:
        print(f"glasstape evaluate: {error}", file=sys.stderr)
        return 1
    from glasstape_server.evaluation import report
    from glasstape_server.training import prediction_file

    try:
        plan = _plan(options)
        _check_cost(options.cost)
        wants_books(options)
        source = DataSource(options)
        if not source.inspect():
            print("glasstape evaluate: nothing was evaluated", file=sys.stderr)
            return 1
        if options.save_predictions:
            prediction_file.check_path(options.save_predictions)
        with Recording("evaluate", options, source) as recording:
            evaluation, path = _evaluated(options, source, plan, recording)
    except KeyboardInterrupt:
        print("glasstape evaluate: interrupted; nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ArithmeticError, BrokenProcessPool) as error:
        print(f"glasstape evaluate: {error}", file=sys.stderr)
        return 1
    print(report.to_text(evaluation))
    print(path, file=sys.stderr)
    return 1 if any(check.failed for check in evaluation.leak_checks) else 0


def _evaluated(
    options: argparse.Namespace, source: DataSource, plan: "EvaluationPlan", recording: "Recording"
) -> "tuple[Evaluation, Path]":
    """Evaluate, and write the report, the predictions and the record; return the result and the report's path."""
    from glasstape_server.cli.progress import Progress
    from glasstape_server.cli.recording import output_of
    from glasstape_server.evaluation import fold_predictions, report
    from glasstape_server.evaluation.evaluate import evaluate
    from glasstape_server.training import dataset
    from glasstape_server.training.run_record import RunModel

    spec = feature_spec(options)
    data = dataset.build(source.chunks(), options.interval, spec, plan.rule, source.time_zone)
    print(data.window_count.to_text(), file=sys.stderr)
    results: list[FoldResult] = []
    with_books = wants_books(options)
    check_top(options, len(data.symbols))
    with Progress() as progress:
        task = progress.task("evaluate", "fit", plan.fits)

        def on_progress(done: int, total: int, result: "FoldResult") -> None:
            recording.began = True
            task.update(done, result.to_text(), total)
            if options.save_predictions or with_books:
                results.append(result)

        evaluation = evaluate(
            data,
            plan,
            options.cost,
            options.processes,
            options.interval,
            on_progress,
            lambda report: task.note(report.to_text()),
        )
    checks = (_future_perturbation(source, options), *evaluation.leak_checks)
    evaluation = replace(evaluation, leak_checks=checks)
    books = evaluated_books(options, source, data, plan, results) if with_books else []
    path = report.write(evaluation, _about(options, source, plan), options.out, books)
    recording.models += [RunModel.of_candidate(each.name, each.metrics) for each in evaluation.candidates]
    recording.outputs.append(output_of(options.out / report.METRICS))
    if options.save_predictions:
        fold_predictions.write(options.save_predictions, data, plan, results)
        recording.outputs.append(output_of(options.save_predictions))
    return evaluation, path


def _check_cost(cost: float) -> None:
    """Check the cost of a change of position.

    Raises:
        ValueError: it is outside 0-0.1.
    """
    if not 0 <= cost <= 0.1:
        raise ValueError(f"--cost: must be 0-0.1, is {cost:g}")


def _plan(options: argparse.Namespace) -> "EvaluationPlan":
    from glasstape_server.evaluation.baselines import baselines_of
    from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan

    networks = architectures(options.arch)
    spec = feature_spec(options)
    check_shape(networks, spec.window_shape)
    return EvaluationPlan(
        candidates=(*baselines_of(spec.names), *networks, *(f"{SHUFFLED}{name}" for name in networks[:1])),
        folds=options.folds,
        seeds=options.seeds,
        epochs=options.epochs,
        windows=options.windows,
        rule=label_rule(options),
        rank_head=has_rank_head(options),
        top=options.rank_top,
        rolling=options.rolling,
    )


def _future_perturbation(source: DataSource, options: argparse.Namespace) -> "LeakCheck":
    from glasstape_server.evaluation.leak_checks import future_perturbation

    frame = next(iter(source.files.chunks(200_000)))
    return future_perturbation(
        frame, options.interval, feature_spec(options), label_rule(options), source.time_zone
    )


def _about(options: argparse.Namespace, source: DataSource, plan: "EvaluationPlan") -> dict[str, str]:
    rule = plan.rule.text.replace(f"{plan.rule.k:.4f}", "k")
    spec = feature_spec(options)
    windows = f"windows {spec.session_gap} at session gaps"
    length = (
        f"the last {duration_text(plan.rolling)} (rolling)"
        if plan.rolling
        else "all earlier windows (expanding)"
    )
    return {
        # With the locale C and without UTF-8 mode, names hold surrogates, which are no text.
        "data": ", ".join(os.fsencode(Path(path).name).decode("utf-8", "replace") for path in options.data),
        "bars": f"{options.interval}, trading days in {source.time_zone}, {windows}",
        "features": f"{len(spec.names)} ({options.features}), {spec.window_bars} bars in a window",
        "labels": f"{rule} (k is fitted so that a third of each training part is FLAT)",
        "plan": f"{plan.folds} folds, {plan.seeds} seed(s), at most {plan.epochs} epochs of at most {plan.windows:,} "
        f"training windows from {length}",
        "cost": f"{1e4 * options.cost:g} basis points per change of position",
    }
