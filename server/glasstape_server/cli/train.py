"""`glasstape train`: train models."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.architectures import add_head, architectures, check_shape, has_rank_head
from glasstape_server.cli.arguments import lifetime, names, nonempty_path, positive
from glasstape_server.cli.data import DataSource, add_data, add_labels, add_rolling, feature_spec, label_rule
from glasstape_server.cli.fit_options import add_fit_options, fit_options
from glasstape_server.cli.recording import add_runs, add_save_predictions
from glasstape_server.cli.search import add_search, check_search, searched

if TYPE_CHECKING:
    from glasstape_server.cli.progress import Progress, Task
    from glasstape_server.cli.recording import Recording
    from glasstape_server.models.manifest import Manifest
    from glasstape_server.training.fit import EpochCallback
    from glasstape_server.training.train import TrainingPlan
    from glasstape_server.training.training_run import TrainingRun
    from glasstape_server.training.training_split import TrainingSettings

HELP = "Train models on CSV or Parquet files, or on the bundled sample"
SAMPLE_SPLIT = ("2011-01-01", "2012-01-01")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data(parser)
    add_labels(parser)
    parser.add_argument(
        "--out",
        type=nonempty_path,
        default=Path("models"),
        help="output folder of artifacts (default: models)",
    )
    parser.add_argument("--name", help="name of the model (default: names of data and network)")
    parser.add_argument("--version", default="1", help="version of the model (default: %(default)s)")
    parser.add_argument(
        "--arch",
        type=names,
        default=["conv1d"],
        metavar="A,B",
        help="networks, trees, lightgbm, or 'all' (default: conv1d)",
    )
    add_head(parser)
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="random seed; equal seeds give equal weights (default: %(default)s)",
    )
    parser.add_argument("--seeds", type=positive, default=1, help="number of seeds per network (default: 1)")
    parser.add_argument(
        "--ensemble", action="store_true", help="also save the ensemble of all trained networks"
    )
    parser.add_argument(
        "--train-until",
        default="",
        help="first day after training data (default: after 70 %% of the closes; sample: 2011-01-01)",
    )
    parser.add_argument(
        "--validate-until",
        default="",
        help="first day after validation data (default: after 85 %% of the closes; sample: 2012-01-01)",
    )
    add_rolling(parser)
    parser.add_argument(
        "--expire",
        type=lifetime,
        default=None,
        metavar="TIME",
        help="time from the last close of the data to the expiry of the model, such as 4w (default: never)",
    )
    add_fit_options(parser)
    add_search(parser)
    add_runs(parser)
    add_save_predictions(parser)
    parser.add_argument("--report", action="store_true", help="print the data report and exit")
    parser.add_argument("--resume", action="store_true", help="resume an interrupted training or search")


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    from safetensors import SafetensorError

    from glasstape_server.cli.progress import Progress
    from glasstape_server.cli.recording import Recording, output_of
    from glasstape_server.models.artifact import ArtifactError, load
    from glasstape_server.training import prediction_file
    from glasstape_server.training.run_record import RunModel
    from glasstape_server.training.training_run import train_all
    from glasstape_server.training.training_split import TrainingSplit

    try:
        check_search(options)
        source = DataSource(options)
        training_run = _training_run(options, source.name)
        if not source.inspect():
            print("glasstape train: nothing was trained", file=sys.stderr)
            return 1
        if options.report:
            return 0
        if options.save_predictions:
            prediction_file.check_path(options.save_predictions)
        with Recording("train", options, source) as recording:
            data = TrainingSplit(source.chunks(), _settings(options, source))
            print(data.window_count.to_text(), file=sys.stderr)
            if options.search:
                training_run = searched(options, data, training_run)
            with Progress() as progress:
                shown = _TrainingProgress(progress, recording)
                folders = train_all(data, training_run, options.out, shown.callback, resume=options.resume)
                shown.finish()
            manifests = [load(folder).manifest for folder in folders]
            recording.models += [RunModel.of_manifest(manifest) for manifest in manifests]
            if options.save_predictions:
                prediction_file.write_trained(options.save_predictions, data, folders)
                recording.outputs.append(output_of(options.save_predictions))
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ArithmeticError, ArtifactError, SafetensorError) as error:
        print(f"glasstape train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "glasstape train: interrupted; --resume continues after the last epoch or trial", file=sys.stderr
        )
        return 130
    _print_summary(manifests, options.out)
    print("\n".join(map(str, folders)))
    return 0


def _training_run(options: argparse.Namespace, source: str) -> "TrainingRun":
    from glasstape_server.training.training_run import TrainingRun

    models = architectures(options.arch)
    check_shape(models, feature_spec(options).window_shape)
    fit, boosting = fit_options(options, models)
    several = len(models) > 1
    return TrainingRun(
        name=options.name or (source if several else f"{source}-{models[0]}"),
        version=options.version,
        architectures=tuple(models),
        seeds=options.seeds,
        fit=fit,
        boosting=boosting,
        rank_head=has_rank_head(options),
        ensemble=options.ensemble,
        lifetime=options.expire,
    )


def _settings(options: argparse.Namespace, source: DataSource) -> "TrainingSettings":
    import numpy as np

    from glasstape_server.market.files import day_start
    from glasstape_server.training.dataset import split_by_days
    from glasstape_server.training.training_split import TrainingSettings

    sample_split = SAMPLE_SPLIT if source.is_sample else ("", "")
    days = {
        "--train-until": options.train_until or sample_split[0],
        "--validate-until": options.validate_until or sample_split[1],
    }
    defaults = (0, 0)
    if not all(days.values()):
        closes = [bars.frame["close_time"].unique().to_numpy() for bars in source.chunks()]
        defaults = split_by_days(np.concatenate(closes))
    train_until, validate_until = (
        day_start(day, source.time_zone, name) if day else default
        for (name, day), default in zip(days.items(), defaults, strict=True)
    )
    return TrainingSettings(
        interval=options.interval,
        train_until=train_until,
        validate_until=validate_until,
        spec=feature_spec(options),
        rule=label_rule(options),
        time_zone=source.time_zone,
        rolling=options.rolling,
    )


class _TrainingProgress:
    """Progress of each training of a run."""

    def __init__(self, progress: "Progress", recording: "Recording") -> None:
        self._progress, self._recording = progress, recording
        self._task: Task | None = None

    def callback(self, plan: "TrainingPlan") -> "EpochCallback":
        """Return the callback that shows the progress of one training; the one before has ended."""
        self.finish()
        self._recording.began = True
        unit = "round" if plan.options is not plan.fit else "epoch"
        task = self._progress.task(f"{plan.name}@{plan.version}", unit, plan.options.limit, early=True)
        self._task = task
        return lambda epoch, training, validation: task.update(
            epoch, f"loss {training:.4f}, validation {validation:.4f}"
        )

    def finish(self) -> None:
        """Show that the last training has ended."""
        if self._task is not None:
            self._task.finish()


def _windows_used(manifest: "Manifest") -> str:
    """Return which windows the figures of the table are of, the same for every model of a run."""
    data = manifest.data
    selecting = f"{data.validation.windows} validation windows, which selected epoch and temperature"
    if data.check is None:
        return f"figures: {selecting}; skill: not measured, the validation period is too short to divide"
    return f"figures: {selecting}; skill: {data.check.windows} later windows, which selected nothing"


def _print_summary(manifests: "Sequence[Manifest]", folder: Path) -> None:
    from glasstape.cli.skill import ranking_text
    from glasstape.skill import SENTENCES

    from glasstape_server.training.training_run import comparison_table

    print(comparison_table(manifests), file=sys.stderr)
    print(_windows_used(manifests[0]), file=sys.stderr)
    for manifest in manifests:
        name = f"{manifest.name}@{manifest.version}"
        if manifest.skill is not None:
            print(f"{name} {SENTENCES[manifest.skill.verdict]}", file=sys.stderr)
        if manifest.rank_ic:
            print(f"{name} ranks symbols: {ranking_text(manifest.rank_ic)}", file=sys.stderr)
        if not manifest.beats_base_rate:
            print(f"{name} is not more accurate than the most frequent class", file=sys.stderr)
        for check in manifest.checks:
            if not check.passed:
                print(f"{name} failed {check.name}: {check.text}", file=sys.stderr)
    if len(manifests) > 1:
        hint = f"glasstape models promote NAME@VERSION --models {folder}"
        print(f"to publish with one of them: {hint}", file=sys.stderr)
