"""Search for the options of a model."""

from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation import search as searching
from glasstape_server.evaluation.metrics import TooFewDaysError
from glasstape_server.evaluation.search import SearchPlan, search
from glasstape_server.evaluation.search_report import saved
from glasstape_server.evaluation.search_space import SearchSpace
from glasstape_server.evaluation.search_trial import WalkForward
from glasstape_server.evaluation.study import FILE, LOCK, SearchError
from glasstape_server.evaluation.synthetic import FIRST_CLOSE, INTERVAL, RULE, known_signal, market
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.training_split import TrainingSettings, TrainingSplit

UNTIL = FIRST_CLOSE + 250 * DAY


@pytest.fixture(scope="module")
def split():
    settings = TrainingSettings(
        interval=INTERVAL, train_until=UNTIL, validate_until=FIRST_CLOSE + 300 * DAY, rule=RULE
    )
    return TrainingSplit(market(known_signal, 12, 300, seed=5), settings)


def plan_of(trials, architectures=("linear",), **changes):
    space = SearchSpace(architectures, FitOptions(epochs=1), BoostingOptions(rounds=4))
    walk_forward = WalkForward(rule=RULE, folds=2, windows=400)
    return replace(SearchPlan(trials=trials, space=space, walk_forward=walk_forward), **changes)


def values(result):
    return [(trial.choice, saved(trial)) for trial in result.trials]


@pytest.fixture(scope="module")
def whole(split, tmp_path_factory):
    """An uninterrupted search of 13 trials: the sampler is at random for ten."""
    return search(split, plan_of(13, ("linear", "trees")), tmp_path_factory.mktemp("whole"))


def test_the_defaults_come_first_and_the_best_trial_saved_the_most(whole):
    assert [trial.number for trial in whole.trials] == list(range(1, 14))
    assert [trial.choice.architecture for trial in whole.trials[:2]] == ["linear", "trees"]
    assert whole.trials[0].choice.fit == FitOptions(epochs=1)
    assert whole.trials[1].choice.boosting == BoostingOptions(rounds=4)
    assert (
        saved(whole.best) == max(value for _, value in values(whole)) == whole.figures["log_loss_gain"].value
    )
    assert len({trial.choice for trial in whole.trials}) == 13
    assert whole.over_default is None or whole.over_default.value >= 0


def test_the_figures_add_up(whole):
    figures = whole.figures
    parts = figures["flat_gain"].value + figures["direction_gain"].value
    assert parts == pytest.approx(figures["log_loss_gain"].value)
    for estimate in figures.values():
        assert estimate.selected.low <= estimate.alone.low <= estimate.value
        assert estimate.value <= estimate.alone.high <= estimate.selected.high


class Interrupted(BaseException):
    pass


def test_an_interrupted_search_continues_as_if_it_had_not_been(split, whole, tmp_path, monkeypatch):
    plan = plan_of(13, ("linear", "trees"))
    real = searching.run_fit
    for fits in (3, 19):  # in the second trial, whose options are enqueued, and in a later one
        left = iter(range(fits))

        def run_fit(task, left=left):
            if next(left, None) is None:
                raise Interrupted
            return real(task)

        monkeypatch.setattr(searching, "run_fit", run_fit)
        with pytest.raises(Interrupted):
            search(split, plan, tmp_path, resume=True)
    monkeypatch.setattr(searching, "run_fit", real)
    seen = []
    resumed = search(split, plan, tmp_path, on_trial=seen.append, resume=True)
    assert values(resumed) == values(whole)
    assert len(seen) < 13
    assert resumed.figures == whole.figures
    again = []
    assert values(search(split, plan, tmp_path, on_trial=again.append, resume=True)) == values(whole)
    assert not again


def test_without_resume_a_search_starts_over(split, tmp_path):
    search(split, plan_of(2), tmp_path)
    seen = []
    result = search(split, plan_of(1, seed=7), tmp_path, on_trial=seen.append)
    assert len(seen) == len(result.trials) == 1


def test_more_trials_continue_and_fewer_are_refused(split, tmp_path):
    first = search(split, plan_of(2), tmp_path)
    more = search(split, plan_of(3), tmp_path, resume=True)
    assert values(more)[:2] == values(first)
    with pytest.raises(SearchError, match="search: must be at least 3 trials, which are done already, is 2"):
        search(split, plan_of(2), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 1}, "seeds"),
        ({"space": SearchSpace(("linear",), FitOptions(epochs=2), BoostingOptions(rounds=4))}, "options"),
        ({"walk_forward": WalkForward(rule=RULE, folds=3, windows=400)}, "folds"),
    ],
)
def test_another_search_is_not_continued(split, tmp_path, changes, name):
    search(split, plan_of(1), tmp_path)
    with pytest.raises(SearchError, match=f"was made with other {name}; --resume is not possible"):
        search(split, plan_of(1, **changes), tmp_path, resume=True)


def test_a_damaged_file_is_one_sentence(split, tmp_path):
    (tmp_path / FILE).write_bytes(b"no database " * 100)
    with pytest.raises(SearchError, match=r"search\.db: cannot be used \(.*\); delete it to start over"):
        search(split, plan_of(1), tmp_path, resume=True)


def test_two_searches_of_one_folder_are_refused(split, tmp_path):
    with FileLock(tmp_path / LOCK), pytest.raises(SearchError, match="another process searches there"):
        search(split, plan_of(1), tmp_path)


def test_a_trial_whose_loss_is_not_finite_failed_and_counts(split, tmp_path, monkeypatch):
    real, calls = searching.run_fit, []

    def run_fit(task):
        calls.append(task)
        if len(calls) == 3:
            raise FloatingPointError("epoch 1: the loss is nan")
        return real(task)

    monkeypatch.setattr(searching, "run_fit", run_fit)
    result = search(split, plan_of(3), tmp_path)
    assert [trial.error for trial in result.trials] == ["", "epoch 1: the loss is nan", ""]
    assert saved(result.trials[1]) is None
    assert result.best.number in (1, 3)
    monkeypatch.setattr(searching, "run_fit", lambda task: 1 / 0)
    with pytest.raises(SearchError, match="every trial failed, the last one because of division by zero"):
        search(split, plan_of(2), tmp_path)


def test_no_window_of_validation_or_check_is_used(split):
    tested = WalkForward(rule=RULE, folds=2).split(split.history)[-1].test
    assert tested.known_time.max() < UNTIL <= split.validation.close_time.min()
    assert tested.held_out_mask().any() == split.history.held_out_mask().any()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"trials": 0}, "search: must be 1-10,000 trials, is 0"),
        ({"trials": 10_001}, "search: must be 1-10,000 trials, is 10001"),
        (
            {"trials": 1, "seed": 2**31 - 1, "seeds": 2},
            "seed: must be 0-2,147,483,646 with 2 seeds, is 2147483647",
        ),
    ],
)
def test_a_plan_out_of_range_is_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        plan_of(**changes)


def test_a_fixed_option_stays(split, tmp_path):
    space = SearchSpace(("linear",), FitOptions(epochs=1, batch=77), BoostingOptions(), frozenset({"batch"}))
    result = search(split, plan_of(3, space=space), tmp_path)
    assert {trial.choice.fit.batch for trial in result.trials} == {77}
    assert len({trial.choice.fit.learning_rate for trial in result.trials}) == 3


def test_seeds_are_averaged(split, tmp_path):
    parts = [search(split, plan_of(1, seed=seed), tmp_path / str(seed)) for seed in (0, 1)]
    both = search(split, plan_of(1, seeds=2), tmp_path / "both")
    assert saved(both.best) == pytest.approx(np.mean([saved(part.best) for part in parts]))
    assert both.windows == parts[0].windows


def test_too_few_days_are_refused_before_a_fit(split, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "run_fit", lambda task: pytest.fail("fitted"))
    settings = replace(split.settings, train_until=FIRST_CLOSE + 110 * DAY)
    few = TrainingSplit(market(known_signal, 12, 300, seed=5), settings)
    with pytest.raises(TooFewDaysError, match="at least 20 are required for intervals"):
        search(few, plan_of(1), tmp_path)
