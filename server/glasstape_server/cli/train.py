"""`glasstape train`: bars in, artefact out."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import positive

if TYPE_CHECKING:
    import polars as pl

HELP = "train a model on a CSV or Parquet file, or on the bundled sample"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--data", default="sample", help="CSV or Parquet file (default: the bundled sample)")
    parser.add_argument(
        "--out", type=Path, default=Path("models"), help="folder of artefacts (default: models)"
    )
    parser.add_argument("--name", help="name of the model (default: the data's name and the network's)")
    parser.add_argument("--version", default="1", help="version of the model (default: %(default)s)")
    parser.add_argument("--arch", default="conv1d", help="network (default: %(default)s)")
    parser.add_argument("--interval", default="1d", help="length of the bars (default: %(default)s)")
    parser.add_argument(
        "--train-until",
        default="",
        help="first day after training (default: behind 70 %% of the bars; sample: 2011-01-01)",
    )
    parser.add_argument(
        "--validate-until",
        default="",
        help="first day after validation (default: behind 85 %% of the bars; sample: 2012-01-01)",
    )
    parser.add_argument(
        "--time-zone",
        default="America/New_York",
        help="zone of dates in the file (default: %(default)s)",
    )
    parser.add_argument(
        "--close", default="16:00", help="closing time of daily bars, HH:MM (default: %(default)s)"
    )
    parser.add_argument("--horizon", type=int, default=1, help="bars to look ahead (default: %(default)s)")
    parser.add_argument(
        "--session-gap", choices=("span", "split"), default="span", help="may windows span a night?"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed: equal seeds, equal weights (default: %(default)s)",
    )
    parser.add_argument("--report", action="store_true", help="look at the data and stop")
    parser.add_argument(
        "--accept",
        default="",
        metavar="KIND,…",
        help="train although the report refuses these kinds of findings",
    )
    parser.add_argument("--epochs", type=positive, default=40, help="passes at most (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from datetime import time

    from rich.console import Console
    from rich.progress import Progress

    from glasstape_server.features.labels import LabelRule
    from glasstape_server.features.spec import FeatureSpec
    from glasstape_server.market import sample
    from glasstape_server.market.files import FileFormat, day_start, read_bars
    from glasstape_server.models.architectures import ARCHITECTURES
    from glasstape_server.models.artefact import load
    from glasstape_server.training.dataset import split_by_days
    from glasstape_server.training.fit import FitOptions
    from glasstape_server.training.train import Plan, train

    console = Console(stderr=True)
    try:
        if options.arch not in ARCHITECTURES:
            raise ValueError(f"--arch: must be one of {', '.join(ARCHITECTURES)}, is {options.arch!r}")
        sample_split = ("", "")
        if options.data == "sample":
            if options.interval != "1d":
                raise ValueError(f"--interval: the sample has bars of 1d, asked for {options.interval!r}")
            frame, sample_split = sample.read(), ("2011-01-01", "2012-01-01")
        else:
            form = FileFormat(options.time_zone, time.fromisoformat(options.close))
            frame = read_bars(Path(options.data), options.interval, form)
        if not _fit_to_learn_from(frame, options):
            return 1
        if options.report:
            return 0
        days = [options.train_until or sample_split[0], options.validate_until or sample_split[1]]
        train_until, validate_until = (
            day_start(day, options.time_zone) if day else moment
            for day, moment in zip(days, split_by_days(frame), strict=True)
        )
        plan = Plan(
            name=options.name or f"{Path(options.data).name.split('.')[0]}-{options.arch}",
            version=options.version,
            interval=options.interval,
            train_until=train_until,
            validate_until=validate_until,
            architecture=options.arch,
            spec=FeatureSpec(session_gap=options.session_gap),
            rule=LabelRule(horizon_bars=options.horizon),
            fit=FitOptions(seed=options.seed, epochs=options.epochs),
            time_zone=options.time_zone,
        )
        with Progress(console=console) as bar:
            task = bar.add_task("training", total=options.epochs)

            def report(epoch: int, training: float, validation: float) -> None:
                bar.update(
                    task,
                    completed=epoch,
                    description=f"loss {training:.4f}, validation {validation:.4f}",
                )

            folder = train(frame, plan, options.out, report)
            bar.update(task, completed=options.epochs)
    except (ValueError, KeyError, OSError) as error:
        print(f"glasstape train: {error}", file=sys.stderr)
        return 1
    found = load(folder).manifest
    for name in ("accuracy", "base_rate", "log_loss", "prior_log_loss"):
        print(f"{name:<16} {found.metrics[f'validation/{name}']:.4f}   (validation)", file=sys.stderr)
    if not found.beats_base_rate:
        print("this model does not beat always saying the most frequent class", file=sys.stderr)
    for check in found.checks:
        if not check.passed:
            print(f"failed {check.name}: {check.text}; its maps will not be called reliable", file=sys.stderr)
    print(folder)
    return 0


def _fit_to_learn_from(frame: "pl.DataFrame", options: argparse.Namespace) -> bool:
    """Print the data report; whether nothing in it stands in the way."""
    from glasstape_server.training.data_report import KINDS, inspect

    accepted = frozenset(name for name in options.accept.split(",") if name)
    unknown = accepted - set(KINDS)
    if unknown:
        raise ValueError(f"--accept: must be of {', '.join(KINDS)}, has {', '.join(sorted(unknown))}")
    report = inspect(frame, options.interval)
    print(report.to_text(), file=sys.stderr)
    refused = report.refused(accepted)
    if refused:
        kinds = ",".join(found.kind for found in refused)
        print(
            f"glasstape train: the data would teach what is not there; mend it, or --accept {kinds}",
            file=sys.stderr,
        )
    return not refused
