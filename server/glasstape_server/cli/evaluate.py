"""`glasstape evaluate`: what would models trained on these bars have been worth?"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import names, positive
from glasstape_server.cli.data import CHUNK, Source, add_data, add_labels, feature_spec, label_rule

if TYPE_CHECKING:
    from glasstape_server.evaluation.alarms import Alarm
    from glasstape_server.evaluation.candidates import Plan

HELP = "walk forward through bars: networks against baselines, with intervals, costs and leak alarms"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_data(parser)
    add_labels(parser)
    parser.add_argument(
        "--arch", type=names, default=["conv1d"], metavar="A,B", help="networks, or 'all' (default: conv1d)"
    )
    parser.add_argument("--folds", type=positive, default=5, help="steps forward (default: %(default)s)")
    parser.add_argument("--seeds", type=positive, default=1, help="trainings of each network (default: 1)")
    parser.add_argument("--epochs", type=positive, default=10, help="passes at most (default: %(default)s)")
    parser.add_argument(
        "--windows",
        type=positive,
        default=200_000,
        help="training windows of a fit at most (default: 200000)",
    )
    parser.add_argument(
        "--cost",
        type=float,
        default=0.001,
        help="of every change of a position, as a share of the price (default: %(default)s)",
    )
    parser.add_argument("--processes", type=positive, default=2, help="fits at once (default: %(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("evaluation"),
        help="folder of report.html and metrics.json (default: evaluation)",
    )


def run(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    from concurrent.futures.process import BrokenProcessPool

    from rich.console import Console
    from rich.progress import Progress

    from glasstape_server.evaluation import report
    from glasstape_server.evaluation.evaluate import evaluate
    from glasstape_server.evaluation.figures import block_days
    from glasstape_server.training import dataset

    try:
        plan = _plan(options)
        if not 0 <= options.cost <= 0.1:
            raise ValueError(f"--cost: must be 0-0.1, is {options.cost:g}")
        source = Source(options)
        if not source.inspect():
            print("glasstape evaluate: nothing was evaluated", file=sys.stderr)
            return 1
        spec = feature_spec(options)
        everything = dataset.build(
            source.files.chunks(CHUNK), options.interval, spec, plan.rule, options.time_zone
        )
        block = block_days(plan.rule.bars_ahead, options.interval)
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("fits", total=None)

            def progress(done: int, of: int) -> None:
                bar.update(task, completed=done, total=of)

            found = evaluate(everything, plan, options.cost, options.processes, block, progress)
        found = replace(found, alarms=(_perturbed(source, options), *found.alarms))
        written = report.write(found, _about(options, plan), options.out)
    except KeyboardInterrupt:
        print("glasstape evaluate: interrupted; nothing was written", file=sys.stderr)
        return 130
    except (ValueError, OSError, ArithmeticError, BrokenProcessPool) as error:
        print(f"glasstape evaluate: {error}", file=sys.stderr)
        return 1
    print(report.to_text(found))
    print(written, file=sys.stderr)
    return 1 if any(alarm.rang for alarm in found.alarms) else 0


def _plan(options: argparse.Namespace) -> "Plan":
    from glasstape_server.evaluation.candidates import SHUFFLED, Plan
    from glasstape_server.evaluation.evaluate import BASELINES
    from glasstape_server.models.networks.architectures import ARCHITECTURES

    networks = list(ARCHITECTURES) if options.arch == ["all"] else list(dict.fromkeys(options.arch))
    if unknown := sorted(set(networks) - set(ARCHITECTURES)):
        raise ValueError(f"--arch: must be of {', '.join(ARCHITECTURES)} or all, has {', '.join(unknown)}")
    return Plan(
        candidates=(*BASELINES, *networks, *(f"{SHUFFLED}{name}" for name in networks[:1])),
        folds=options.folds,
        seeds=options.seeds,
        epochs=options.epochs,
        windows=options.windows,
        rule=label_rule(options),
    )


def _perturbed(source: Source, options: argparse.Namespace) -> "Alarm":
    from glasstape_server.evaluation.alarms import future_perturbation

    frame = next(iter(source.files.chunks(200_000)))
    return future_perturbation(
        frame, options.interval, feature_spec(options), label_rule(options), options.time_zone
    )


def _about(options: argparse.Namespace, plan: "Plan") -> dict[str, str]:
    return {
        "data": ", ".join(Path(path).name for path in options.data),
        "bars": f"{options.interval}, days of {options.time_zone}, windows {options.session_gap} nights",
        "labels": f"{plan.rule.text.replace(f'{plan.rule.k:.4f}', 'k')} (k: FLAT is a third of each training part)",
        "plan": f"{plan.folds} folds, {plan.seeds} seed(s), at most {plan.epochs} passes over at most {plan.windows:,} "
        "training windows",
        "cost": f"{1e4 * options.cost:g} basis points for every change of a position",
    }
