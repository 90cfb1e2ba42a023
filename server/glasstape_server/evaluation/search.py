"""Search for the options of a model by walk-forward; the best trial has intervals that allow for the choice."""

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.evaluation import selected_best, study
from glasstape_server.evaluation.metrics import block_days
from glasstape_server.evaluation.search_space import SearchSpace
from glasstape_server.evaluation.search_trial import COLUMNS, FitTask, WalkForward, run_fit, tested_days
from glasstape_server.evaluation.selected_best import SelectedEstimate
from glasstape_server.evaluation.study import OpenTrial, SearchError, Trial
from glasstape_server.evaluation.worker import initialize_process
from glasstape_server.storage import temporary
from glasstape_server.training.ranges import MAX_SEED
from glasstape_server.training.training_split import TrainingSplit

MAX_TRIALS = 10_000


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search."""

    trials: int
    """Number of trials, those of an earlier, interrupted run included."""
    space: SearchSpace
    walk_forward: WalkForward
    seeds: int = 1
    """Fits of each trial and fold, whose log loss is averaged."""
    seed: int = 0
    """Of the sampler, and of the first fit."""

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= MAX_TRIALS:
            raise ValueError(f"search: must be 1-{MAX_TRIALS:,} trials, is {self.trials}")
        if not 0 <= self.seed <= MAX_SEED - self.seeds + 1:
            raise ValueError(
                f"seed: must be 0-{MAX_SEED - self.seeds + 1:,} with {self.seeds} seeds, is {self.seed}"
            )


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Trials of a search, and the figures of the best."""

    plan: SearchPlan
    trials: tuple[Trial, ...]
    best: Trial
    """The one that saved the most log loss."""
    figures: dict[str, SelectedEstimate]
    """Figures of the best trial, by name."""
    over_default: SelectedEstimate | None
    """Log loss saved against the default options of the first architecture, nats; None: that trial failed."""
    windows: int
    """Test windows."""
    days: int
    """Test days."""
    block: int
    """Days per bootstrap block."""


TrialCallback = Callable[[Trial], None]
"""Called after each trial."""


def search(
    data: TrainingSplit,
    plan: SearchPlan,
    folder: Path,
    processes: int = 1,
    on_trial: TrialCallback = lambda trial: None,
    *,
    resume: bool = False,
) -> SearchResult:
    """Search on the windows whose outcome is known before training ends: validation and check see nothing of it.

    Args:
        data: of the model that is to be trained.
        plan: trials and folds.
        folder: of the trials; they are written after each.
        processes: fits at once.
        on_trial: called after each trial.
        resume: continue an interrupted search of the same data and options.

    Raises:
        TooFewDaysError: too few test days for intervals; nothing was fitted.
        SearchError: every trial failed, or the folder is of another search.
        ValueError: too little data for the folds.
    """
    walk_forward = plan.walk_forward
    walk_forward.check(data.history)
    days = tested_days(data.history, walk_forward)
    block = block_days(walk_forward.rule.bars_ahead, data.settings.interval, len(days))
    settings = _settings(data, plan)
    with (
        study.opened(folder, plan.space, plan.seed, settings, resume=resume) as opened,
        _Fits(data, plan, days, processes) as fits,
    ):
        done = len(opened.trials)
        if done > plan.trials:
            raise SearchError(
                f"search: must be at least {done} trials, which are done already, is {plan.trials}"
            )
        for _ in range(done, plan.trials):
            on_trial(fits.run(opened.begin()))
        trials = tuple(opened.trials)
    return _result(plan, trials, block)


class _Fits:
    """Runs the fits of a trial, in processes that stay for the whole search."""

    def __init__(self, data: TrainingSplit, plan: SearchPlan, days: Ints, processes: int) -> None:
        self._data, self._plan, self._days, self._processes = data, plan, days, processes

    def __enter__(self) -> "_Fits":
        with ExitStack() as stack:
            self._folder = temporary.create_folder("search")
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._data.history.save(self._folder)
            self._pool = None
            if self._processes > 1:
                pool = ProcessPoolExecutor(
                    self._processes, get_context("spawn"), initializer=initialize_process
                )
                self._pool = stack.enter_context(pool)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, trial: OpenTrial) -> Trial:
        """Fit a trial on every fold with every seed, and record it; one whose loss is not finite has failed."""
        plan = self._plan
        tasks = [
            FitTask(self._folder, plan.walk_forward, trial.choice, fold, plan.seed + number)
            for fold in range(plan.walk_forward.folds)
            for number in range(plan.seeds)
        ]
        fits: Iterable[tuple[Ints, Floats]] = map(run_fit, tasks)
        if self._pool is not None:
            fits = self._pool.map(run_fit, tasks)
        sums = np.zeros((len(self._days), COLUMNS))
        try:
            for days, part in fits:
                sums[np.searchsorted(self._days, days)] += part / plan.seeds
        except ArithmeticError as error:
            return trial.fail(str(error))
        return trial.finish(_saved(sums), sums)


def _saved(sums: Floats) -> float:
    return float(selected_best.METRICS["log_loss_gain"](sums.sum(axis=0)))


def _settings(data: TrainingSplit, plan: SearchPlan) -> dict[str, Any]:
    """Return everything that the trials depend on, as JSON values."""
    settings, space, walk_forward = data.settings, plan.space, plan.walk_forward
    return {
        "data": data.sha256,
        "interval": settings.interval,
        "features": settings.spec.hash,
        "labels": walk_forward.rule.to_dict(),
        "time zone": settings.time_zone,
        "training period": settings.train_until,
        "networks": list(space.architectures),
        "options": {
            "fit": asdict(space.fit),
            "boosting": asdict(space.boosting),
            "fixed": sorted(space.fixed),
        },
        "folds": [walk_forward.folds, walk_forward.rolling, walk_forward.windows],
        "seeds": [plan.seed, plan.seeds],
    }


def _result(plan: SearchPlan, trials: tuple[Trial, ...], block: int) -> SearchResult:
    """Return the result of finished trials.

    Raises:
        SearchError: every trial failed.
    """
    complete = [trial for trial in trials if trial.sums is not None]
    if not complete:
        raise SearchError(f"search: every trial failed, the last one because of {trials[-1].error}")
    sums = np.stack([trial.sums for trial in complete if trial.sums is not None])
    best = int(np.argmax([_saved(part) for part in sums]))
    over_default = None
    if complete[0].number == 1 and best > 0:
        over_default = selected_best.gain_over(sums, 0, best, block)
    return SearchResult(
        plan,
        trials,
        complete[best],
        selected_best.estimates(sums, best, block),
        over_default,
        int(sums[best].sum(axis=0)[0]),
        sums.shape[1],
        block,
    )
