"""`glasstape train`: bars in, artifacts out."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import names, positive
from glasstape_server.cli.data import CHUNK, Source, add_data, add_labels, feature_spec, label_rule

if TYPE_CHECKING:
    from glasstape_server.models.manifest import Manifest
    from glasstape_server.training.fit import Report
    from glasstape_server.training.many import Run
    from glasstape_server.training.train import Plan, Setting

HELP = "train models on CSV or Parquet files, or on the bundled sample"
SAMPLE_SPLIT = ("2011-01-01", "2012-01-01")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_data(parser)
    add_labels(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("models"), help="folder of artifacts (default: models)"
    )
    parser.add_argument("--name", help="name of the model (default: the data's name and the network's)")
    parser.add_argument("--version", default="1", help="version of the model (default: %(default)s)")
    parser.add_argument(
        "--arch", type=names, default=["conv1d"], metavar="A,B", help="networks, or 'all' (default: conv1d)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed: equal seeds, equal weights (default: %(default)s)"
    )
    parser.add_argument(
        "--seeds", type=positive, default=1, help="train each network with so many seeds (default: 1)"
    )
    parser.add_argument(
        "--ensemble", action="store_true", help="save the average of all that was trained, too"
    )
    parser.add_argument(
        "--train-until",
        default="",
        help="first day after training (default: behind 70 %% of the closes; sample: 2011-01-01)",
    )
    parser.add_argument(
        "--validate-until",
        default="",
        help="first day after validation (default: behind 85 %% of the closes; sample: 2012-01-01)",
    )
    parser.add_argument("--epochs", type=positive, default=40, help="passes at most (default: %(default)s)")
    parser.add_argument(
        "--batch", type=positive, default=256, help="windows of a step (default: %(default)s)"
    )
    parser.add_argument("--report", action="store_true", help="look at the data and stop")
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted training stopped")


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from safetensors import SafetensorError

    from glasstape_server.models.artifact import ArtifactError, load
    from glasstape_server.training.many import train_all
    from glasstape_server.training.train import Material

    try:
        source = Source(options)
        wanted = _wanted(options, source.name)
        if not source.inspect():
            print("glasstape train: nothing was trained", file=sys.stderr)
            return 1
        if options.report:
            return 0
        material = Material(source.files.chunks(CHUNK), _setting(options, source))
        with _Bars(options.epochs) as bars:
            folders = train_all(material, wanted, options.out, bars.of, resume=options.resume)
    except (ValueError, OSError, ArithmeticError, ArtifactError, SafetensorError) as error:
        print(f"glasstape train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("glasstape train: interrupted; --resume goes on after the last whole pass", file=sys.stderr)
        return 130
    _tell([load(folder).manifest for folder in folders], options.out)
    print("\n".join(map(str, folders)))
    return 0


def _wanted(options: argparse.Namespace, source: str) -> "Run":
    from glasstape_server.models.networks.architectures import ARCHITECTURES
    from glasstape_server.training.fit import FitOptions
    from glasstape_server.training.many import Run

    architectures = list(ARCHITECTURES) if options.arch == ["all"] else list(dict.fromkeys(options.arch))
    unknown = sorted(set(architectures) - set(ARCHITECTURES))
    if unknown or not architectures:
        rule = f"must be of {', '.join(ARCHITECTURES)} or all"
        raise ValueError(f"--arch: {rule}, is {', '.join(unknown) or 'empty'}")
    several = len(architectures) > 1
    return Run(
        name=options.name or (source if several else f"{source}-{architectures[0]}"),
        version=options.version,
        architectures=tuple(architectures),
        seeds=options.seeds,
        fit=FitOptions(seed=options.seed, epochs=options.epochs, batch=options.batch),
        ensemble=options.ensemble,
    )


def _setting(options: argparse.Namespace, source: Source) -> "Setting":
    import numpy as np

    from glasstape_server.market.files import day_start
    from glasstape_server.training.dataset import split_by_days
    from glasstape_server.training.train import Setting

    sample_split = SAMPLE_SPLIT if source.is_sample else ("", "")
    given = {
        "--train-until": options.train_until or sample_split[0],
        "--validate-until": options.validate_until or sample_split[1],
    }
    behind = (0, 0)
    if not all(given.values()):
        closes = [frame["close_time"].unique().to_numpy() for frame in source.files.chunks(CHUNK)]
        behind = split_by_days(np.concatenate(closes))
    train_until, validate_until = (
        day_start(day, options.time_zone, name) if day else moment
        for (name, day), moment in zip(given.items(), behind, strict=True)
    )
    return Setting(
        interval=options.interval,
        train_until=train_until,
        validate_until=validate_until,
        spec=feature_spec(options),
        rule=label_rule(options),
        time_zone=options.time_zone,
    )


class _Bars:
    """A progress bar for each training."""

    def __init__(self, epochs: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._epochs = epochs
        self._progress = Progress(console=Console(stderr=True))

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def of(self, plan: "Plan") -> "Report":
        """The bar of one training."""
        name = f"{plan.name}@{plan.version}"
        task = self._progress.add_task(name, total=self._epochs)

        def report(epoch: int, training: float, validation: float) -> None:
            text = f"{name} loss {training:.4f}, validation {validation:.4f}"
            self._progress.update(task, completed=epoch, description=text)

        return report


def _tell(manifests: "Sequence[Manifest]", folder: Path) -> None:
    from glasstape_server.training.many import compared

    print(compared(manifests), file=sys.stderr)
    for found in manifests:
        name = f"{found.name}@{found.version}"
        if not found.beats_base_rate:
            print(f"{name} does not beat always saying the most frequent class", file=sys.stderr)
        for check in found.checks:
            if not check.passed:
                text = f"{name} failed {check.name}: {check.text}; its maps will not be called reliable"
                print(text, file=sys.stderr)
    if len(manifests) > 1:
        hint = f"glasstape models promote NAME@VERSION --models {folder}"
        print(f"publish with one of them: {hint}", file=sys.stderr)
