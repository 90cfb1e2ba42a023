"""Option --search of `train`: search for the options of the model that is then trained."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import positive
from glasstape_server.cli.fit_options import given

if TYPE_CHECKING:
    from glasstape_server.evaluation.search import SearchPlan
    from glasstape_server.evaluation.study import Trial
    from glasstape_server.training.training_run import TrainingRun
    from glasstape_server.training.training_split import TrainingSplit

FOLDER = ".search"
"""Folder of searches, inside the folder of models."""
SEARCHED = ("learning_rate", "weight_decay", "batch")
"""Options that a search chooses unless they are set."""


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--search",
        type=positive,
        metavar="N",
        help="search network and options by N trials, then train the best (extra: search)",
    )
    parser.add_argument(
        "--folds",
        type=positive,
        default=3,
        help="with --search: walk-forward folds of each trial (default: %(default)s)",
    )
    parser.add_argument(
        "--windows",
        type=positive,
        default=200_000,
        help="with --search: largest number of training windows per fit (default: 200000)",
    )
    parser.add_argument(
        "--processes",
        type=positive,
        default=2,
        help="with --search: number of fits at once (default: %(default)s)",
    )


def check_search(options: argparse.Namespace) -> None:
    """Check the options of a search before anything is read.

    Raises:
        ValueError: Optuna is not installed, or an option does not go with a search.
    """
    if not options.search:
        return
    try:
        import optuna  # noqa: F401
    except (ImportError, OSError) as error:
        raise ValueError(f"--search: requires Optuna: pip install 'glasstape[search]' ({error})") from None
    from glasstape_server.evaluation.search import MAX_TRIALS

    if options.search > MAX_TRIALS:
        raise ValueError(f"--search: must be 1-{MAX_TRIALS:,}, is {options.search}")
    if options.ensemble:
        raise ValueError("--ensemble: must not be set with --search, which trains one model")


def searched(options: argparse.Namespace, data: "TrainingSplit", run: "TrainingRun") -> "TrainingRun":
    """Search, report, and return the run that trains the best.

    Args:
        options: of the command.
        data: to train on.
        run: networks and options from which the search starts.

    Raises:
        FileExistsError: the version exists; nothing was searched.
        SearchError: see `evaluation.search.search`.
        ValueError: too little data for the folds.
    """
    from glasstape_server.evaluation import search_report
    from glasstape_server.evaluation.search import search
    from glasstape_server.training.train import check_label

    check_label("name", run.name)
    check_label("version", run.version)
    target: Path = options.out / run.name / run.version
    if target.exists() and not options.resume:
        raise FileExistsError(f"{target}: this version exists")
    plan = _plan(options, data, run)
    folder = options.out / FOLDER / f"{run.name}-{run.version}"

    def on_trial(trial: "Trial") -> None:
        text = search_report.trial_text(trial, plan.space.to_text(trial.choice), plan.trials)
        print(text, file=sys.stderr, flush=True)

    result = search(data, plan, folder, options.processes, on_trial, resume=options.resume)
    report = search_report.write(result, folder)
    print(f"{search_report.to_text(result)}\nall trials: {report}", file=sys.stderr)
    best = result.best.choice
    return replace(
        run,
        architectures=(best.architecture,),
        seeds=1,
        fit=best.fit,
        boosting=best.boosting,
        selection=search_report.metrics(result),
    )


def _plan(options: argparse.Namespace, data: "TrainingSplit", run: "TrainingRun") -> "SearchPlan":
    from glasstape_server.evaluation.search import SearchPlan
    from glasstape_server.evaluation.search_space import SearchSpace
    from glasstape_server.evaluation.search_trial import WalkForward

    fixed = frozenset(given(options, *SEARCHED))
    return SearchPlan(
        trials=options.search,
        space=SearchSpace(run.architectures, run.fit, run.boosting, fixed),
        walk_forward=WalkForward(
            rule=data.settings.rule,
            folds=options.folds,
            rolling=options.rolling,
            windows=options.windows,
        ),
        seeds=options.seeds,
        seed=run.fit.seed,
    )
