"""`glasstape retrain`: train a model again on the latest bars, and promote the new version by a rule."""

import argparse
import signal
import sys
import time
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from glasstape_server.cli.arguments import duration, lifetime, nonempty_path, positive
from glasstape_server.cli.data import DataSource, add_data

if TYPE_CHECKING:
    from glasstape_server.models.manifest import Manifest
    from glasstape_server.training.retraining import RetrainingPlan

HELP = "Train a model again on the latest bars, once or on a schedule, and promote the new version by a rule"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="NAME or NAME@VERSION whose network, options, features and labels the new version takes",
    )
    add_data(parser, interval=False)
    parser.add_argument(
        "--models", type=nonempty_path, default=Path("models"), help="folder of artifacts (default: models)"
    )
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--every", type=duration, metavar="TIME", help="run now and again after each such period, such as 1w"
    )
    when.add_argument("--once", action="store_true", help="run once and exit, as for cron and systemd timers")
    parser.add_argument(
        "--rolling",
        type=duration,
        default=0,
        metavar="TIME",
        help="use the bars of this last time, such as 104w (default: all bars)",
    )
    parser.add_argument(
        "--promote",
        choices=("rule", "hand"),
        default="rule",
        help="whether a candidate that passes is promoted, or only reported (default: %(default)s)",
    )
    parser.add_argument(
        "--shadow",
        type=duration,
        default=duration("2w"),
        metavar="TIME",
        help="least time of bars that a candidate must shadow before it is promoted (default: 2w)",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=0.002,
        metavar="NATS",
        help="a candidate passes if its interval of log loss saved is above minus this, 0-0.1 (default: %(default)s)",
    )
    parser.add_argument(
        "--expire",
        type=lifetime,
        default=lifetime("4w"),
        metavar="TIME",
        help="time from the last close of its data to the expiry of a new version, or never (default: 4w)",
    )
    parser.add_argument(
        "--keep", type=positive, default=4, help="candidates to keep; older ones are removed (default: 4)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status of the only run, or of the check of the options.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    from glasstape_server.models.artifact import ArtifactError

    try:
        _prepared(options)
    except (ValueError, OSError, ArtifactError) as error:
        print(f"glasstape retrain: {error}", file=sys.stderr)
        return 1
    if options.once:
        return run_once(options)
    try:
        _run_schedule(options)
    except KeyboardInterrupt:
        print("glasstape retrain: interrupted; what was promoted stays", file=sys.stderr)
        return 130


def run_once(options: argparse.Namespace) -> int:
    """Retrain once; return the exit status: 1 if it failed.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    from safetensors import SafetensorError

    from glasstape_server.models.artifact import ArtifactError
    from glasstape_server.training.retraining import retrain

    try:
        plan, template, min_bars = _prepared(options)
        options.interval = template.interval
        source = DataSource(options, min_bars)
        if not source.inspect():
            print("glasstape retrain: nothing was trained", file=sys.stderr)
            return 1
        active = retrain(plan, template, source.chunks, source.time_zone, _report)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ArithmeticError, ArtifactError, SafetensorError) as error:
        print(f"glasstape retrain: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("glasstape retrain: interrupted; nothing was promoted", file=sys.stderr)
        return 130
    print(active)
    return 0


def _prepared(options: argparse.Namespace) -> "tuple[RetrainingPlan, Manifest, int]":
    """Return the plan, the model whose settings are taken, and the bars that one of its windows requires.

    Raises:
        ValueError: an option is out of range, or the model cannot be retrained.
        ArtifactError: the file of the promotion cannot be read.
    """
    from glasstape_server.features.labels import LabelRule
    from glasstape_server.features.spec import FeatureSpec
    from glasstape_server.training.promotion_rule import PromotionRule
    from glasstape_server.training.retraining import RetrainingPlan, template_of, training_plan

    try:
        rule = PromotionRule(shadow=options.shadow, margin=options.margin)
    except ValueError as error:
        raise ValueError(f"--{error}") from None
    plan = RetrainingPlan(
        root=options.models,
        model=options.model,
        rule=rule,
        promote=options.promote == "rule",
        rolling=options.rolling,
        lifetime=options.expire,
        keep=options.keep,
    )
    template = template_of(plan.root, plan.model)
    training_plan(template, template.version, None)  # raises if its options are out of range
    spec, labels = FeatureSpec.from_dict(template.feature_spec), LabelRule.from_dict(template.label_rule)
    return plan, template, spec.min_bars + labels.bars_ahead


def _run_schedule(options: argparse.Namespace) -> NoReturn:
    """Run each retraining in a process of its own, so that none takes the schedule down.

    Raises:
        SystemExit: SIGTERM.
    """
    from glasstape_server.domain.times import SECOND
    from glasstape_server.training.schedule import repeat

    signal.signal(signal.SIGTERM, _exit)

    def run_apart(due: float) -> None:
        status = _in_process(options)
        result = "the run is complete" if status == 0 else f"the run failed (exit status {status})"
        _report(f"{result}; the next one is due at {datetime.fromtimestamp(due, UTC):%Y-%m-%d %H:%M} UTC")

    repeat(options.every / SECOND, run_apart, time.time, time.sleep)


def _in_process(options: argparse.Namespace) -> int:
    """Run once in a new process; return its exit status, negative for a signal."""
    process = get_context("spawn").Process(target=_exit_with, args=(options,))
    process.start()
    try:
        process.join()
    finally:
        if process.is_alive():
            process.terminate()
            process.join()
    return process.exitcode or 0


def _exit_with(options: argparse.Namespace) -> None:
    sys.exit(run_once(options))


def _exit(*_: Any) -> None:
    sys.exit(0)


def _report(text: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {text}", file=sys.stderr, flush=True)
