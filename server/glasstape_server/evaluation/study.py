"""Trials of a search in a file of Optuna's: they survive an interruption, and the next trial depends on them alone.

Akiba, Sano, Yanase, Ohta and Koyama (2019), "Optuna: a next-generation hyperparameter optimization framework"; the
sampler is the tree-structured Parzen estimator of Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for
hyper-parameter optimization". Optuna is imported when a search starts, because it is an optional dependency.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from glasstape_server.domain.arrays import Floats
from glasstape_server.evaluation.search_space import Choice, SearchSpace

if TYPE_CHECKING:
    import optuna

FILE = "search.db"
"""Storage of Optuna, an SQLite database."""
LOCK = ".lock"
_NAME = "search"
_SETTINGS, _SUMS, _ERROR = "settings", "sums", "error"


class SearchError(ValueError):
    """A search that cannot start or continue; the text gives the cause."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished trial."""

    number: int
    """From 1."""
    choice: Choice
    sums: Floats | None
    """Sums of each test day, (day, column); None: it failed."""
    error: str = ""
    """Why it failed."""


class Study:
    """Trials of one search, in a folder."""

    def __init__(self, study: "optuna.Study", space: SearchSpace, seed: int) -> None:
        self._study = study
        self._space = space
        self._seed = seed

    @property
    def trials(self) -> list[Trial]:
        """Finished trials, in order. One that was interrupted is none of them."""
        done = [t for t in self._study.get_trials(deepcopy=False) if {_SUMS, _ERROR} & set(t.user_attrs)]
        return [
            Trial(
                number,
                self._space.choice(trial.params),
                np.asarray(trial.user_attrs[_SUMS]) if _SUMS in trial.user_attrs else None,
                str(trial.user_attrs.get(_ERROR, "")),
            )
            for number, trial in enumerate(done, start=1)
            if trial.state.is_finished()
        ]

    def begin(self) -> "OpenTrial":
        """Begin the next trial.

        The first ones are the default options of each architecture. The sampler's seed is that of the search and the
        number of finished trials: an interrupted search continues as it would have without the interruption.
        """
        import optuna

        done = len(self.trials)
        if done < len(self._space.architectures):
            self._study.enqueue_trial(self._space.default(self._space.architectures[done]))
        self._study.sampler = optuna.samplers.TPESampler(seed=(self._seed + done) % 2**32)
        trial = self._study.ask()
        return OpenTrial(done + 1, self._space.suggest(trial), self._study, trial)

    def discard_interrupted(self) -> None:
        """End the trials that an interrupted search left, and those that it had not begun."""
        import optuna

        states = optuna.trial.TrialState
        while self._study.get_trials(deepcopy=False, states=(states.WAITING,)):
            self._study.ask()
        for left in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(left.number, state=states.FAIL)


class OpenTrial:
    """A trial that runs."""

    def __init__(self, number: int, choice: Choice, study: "optuna.Study", trial: "optuna.Trial") -> None:
        self.number = number
        """From 1."""
        self.choice = choice
        self._study, self._trial = study, trial

    def finish(self, value: float, sums: Floats) -> Trial:
        """Record the log loss saved, nats, and the sums of each test day, (day, column)."""
        self._trial.set_user_attr(_SUMS, sums.tolist())
        self._study.tell(self._trial, value)
        return Trial(self.number, self.choice, sums)

    def fail(self, error: str) -> Trial:
        """Record why the trial failed."""
        import optuna

        self._trial.set_user_attr(_ERROR, error)
        self._study.tell(self._trial, state=optuna.trial.TrialState.FAIL)
        return Trial(self.number, self.choice, None, error)


@contextlib.contextmanager
def opened(
    folder: Path, space: SearchSpace, seed: int, settings: Mapping[str, Any], *, resume: bool
) -> Iterator[Study]:
    """Open the study of a folder, for one process at a time.

    Args:
        folder: of the search; created if missing.
        space: of the search.
        seed: of the sampler.
        settings: everything that the trials depend on, as JSON values.
        resume: continue with the trials of an interrupted search; otherwise they are removed.

    Raises:
        SearchError: another process searches there, or the trials are damaged or of another search.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SearchError(f"{folder}: another process searches there") from None
    try:
        if not resume:
            (folder / FILE).unlink(missing_ok=True)
        yield _load(folder, space, seed, settings)
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        first = str(error).strip().splitlines()[0]
        raise SearchError(f"{folder / FILE}: cannot be used ({first}); delete it to start over") from None
    finally:
        lock.release()


def _load(folder: Path, space: SearchSpace, seed: int, settings: Mapping[str, Any]) -> Study:
    """Load or create a study.

    Raises:
        SearchError: it is of another search.
    """
    import optuna
    from sqlalchemy.pool import NullPool

    optuna.logging.disable_default_handler()  # the command reports each trial itself
    # A URL cannot name a file whose name is not Unicode.
    connect = partial(sqlite3.connect, folder / FILE, check_same_thread=False)
    storage = optuna.storages.RDBStorage("sqlite://", {"creator": connect, "poolclass": NullPool})
    loaded = optuna.create_study(storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True)
    before = loaded.user_attrs.get(_SETTINGS, settings)
    if different := [name for name, value in settings.items() if before.get(name) != value]:
        raise SearchError(
            f"{folder / FILE}: was made with other {', '.join(different)}; --resume is not possible, "
            "delete it to start over"
        )
    loaded.set_user_attr(_SETTINGS, dict(settings))
    study = Study(loaded, space, seed)
    study.discard_interrupted()
    return study
