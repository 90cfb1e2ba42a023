"""Retraining: candidates on the latest bars, shadow first, promotion by rule or by hand."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from filelock import FileLock
from glasstape_server.domain.times import DAY
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.artifact import load
from glasstape_server.models.promotion import promote, promoted
from glasstape_server.training import retraining
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.candidates import RetrainingError
from glasstape_server.training.promotion_rule import PromotionRule
from glasstape_server.training.retraining import RetrainingPlan, retrain, template_of, training_plan
from retrained import bars_to, closing, trained

RULE = PromotionRule(shadow=14 * DAY, margin=0.1)
V330, V345, V360 = "20200309.0000", "20200324.0000", "20200408.0000"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with one model, whose single feature holds the signal."""
    root = tmp_path_factory.mktemp("start")
    return trained(root, "1", 300, spec=FeatureSpec(names=("rsi",))), root


@pytest.fixture
def root(start, tmp_path):
    model = start[1] / "mine" / "1"
    copy = tmp_path / "models" / "mine" / "1"
    copy.mkdir(parents=True)
    for file in model.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return tmp_path / "models"


def run(root, day, **changes):
    """Retrain on the bars up to a day; return what was reported."""
    plan = replace(RetrainingPlan(root=root, model="mine", rule=RULE), **changes)
    said = []
    retrain(plan, template_of(root, plan.model), bars_to(day), "UTC", said.append)
    return said


def versions(root):
    return sorted(folder.name for folder in (root / "mine").iterdir())


def test_a_candidate_shadows_first_and_is_promoted_when_it_passes(root):
    said = run(root, 330)
    assert said[0] == "promoted mine@1, which is active, so that no candidate publishes before it is promoted"
    assert said[1] == f"trained mine@{V330}: a candidate, which publishes nothing"
    assert said[2].startswith(f"mine@{V330} stays a candidate: shadow for ")
    assert promoted(root) == "mine@1"
    assert run(root, 330)[0] == f"no bars later than those of mine@{V330}: nothing to train"
    said = run(root, 345)
    assert said[0] == f"trained mine@{V345}: a candidate, which publishes nothing"
    assert said[2].startswith(f"promoted mine@{V330} (before: mine@1): saves ")
    assert promoted(root) == f"mine@{V330}"
    assert json.loads((root / ".retrain" / "mine.json").read_text()) == {"candidates": [V345]}
    assert versions(root) == ["1", V330, V345]


def test_a_candidate_has_the_settings_of_the_model_and_the_latest_bars(root, start):
    run(root, 330, lifetime=timedelta(days=7))
    before, after = start[0].manifest, load(root / "mine" / V330).manifest
    assert (after.architecture, after.feature_spec) == (before.architecture, before.feature_spec)
    assert (after.data.fit, after.data.seed) == (before.data.fit, before.data.seed)
    assert {**after.label_rule, "k": 0} == {**before.label_rule, "k": 0}
    assert after.data.training.last_close > before.data.training.last_close
    assert after.data.seen_until.timestamp() * 1e6 >= closing(327)
    assert after.expires == after.data.seen_until + timedelta(days=7)


def test_a_candidate_that_fails_the_rule_is_never_promoted(root):
    strict = PromotionRule(shadow=0, margin=0.0)
    for day in (330, 345, 360, 375):
        run(root, day, rule=strict)
        assert promoted(root) == "mine@1"


def test_by_hand_a_candidate_is_reported_and_forgotten_once_it_was_promoted(root):
    run(root, 330, promote=False)
    run(root, 345, promote=False)
    said = run(root, 360, promote=False)
    assert said[2].startswith(f"mine@{V345} passed: saves ")
    assert said[3] == f"to publish with it: glasstape models promote mine@{V345} --models {root}"
    assert promoted(root) == "mine@1"
    promote(root, f"mine@{V345}")
    assert run(root, 360)[0] == f"removed {V330}: older than the active model mine@{V345}"
    assert versions(root) == ["1", V345, V360]


def test_the_oldest_candidates_are_removed(root):
    never = PromotionRule(shadow=1000 * DAY)
    for day in (330, 345):
        run(root, day, rule=never, keep=1)
    assert versions(root) == ["1", V345]
    assert json.loads((root / ".retrain" / "mine.json").read_text()) == {"candidates": [V345]}
    with pytest.raises(ValueError, match="keep: must be 1 or more, is 0"):
        run(root, 345, keep=0)


def test_a_run_that_fails_changes_nothing_and_the_next_one_succeeds(root, monkeypatch):
    def fails(*_):
        raise FloatingPointError("epoch 1: the loss is nan")

    real = retraining.train
    monkeypatch.setattr(retraining, "train", fails)
    with pytest.raises(FloatingPointError):
        run(root, 330)
    monkeypatch.setattr(retraining, "train", real)
    assert (promoted(root), versions(root)) == ("mine@1", ["1"])
    assert f"trained mine@{V330}" in run(root, 330)[0]


def test_a_candidate_of_an_interrupted_run_is_judged_later(root, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    real = retraining.judge
    monkeypatch.setattr(retraining, "judge", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(root, 330)
    monkeypatch.setattr(retraining, "judge", real)
    assert any(line.startswith(f"promoted mine@{V330}") for line in run(root, 345))


def test_an_expired_model_that_publishes_is_reported(root, start):
    trained(root, "2", 300, spec=FeatureSpec(names=("rsi",)), lifetime=timedelta(days=10))
    assert run(root, 305, rule=PromotionRule(shadow=99 * DAY))[-1].startswith("mine@")
    line = run(root, 330, rule=PromotionRule(shadow=99 * DAY))[-1]
    assert line.startswith("the active model mine@2 expired on 2020-02-1")
    assert line.endswith(" UTC and still publishes")


def test_two_retrainings_of_a_model_are_refused(root):
    run(root, 330)
    with (
        FileLock(root / ".retrain" / "mine.lock"),
        pytest.raises(RetrainingError, match="another retraining of mine runs"),
    ):
        run(root, 345)


def test_a_damaged_list_is_one_sentence(root):
    (root / ".retrain").mkdir()
    (root / ".retrain" / "mine.json").write_text('{"candidates')
    with pytest.raises(RetrainingError, match=r"mine\.json: damaged \(.*\); delete it"):
        run(root, 330)


def test_the_settings_are_those_of_the_promoted_version(root):
    trained(root, "2", 300, spec=FeatureSpec(names=("close_return",)))
    assert template_of(root, "mine").version == "2"
    promote(root, "mine@1")
    assert template_of(root, "mine").version == "1"
    assert template_of(root, "mine@2").version == "2"
    for model in ("other", "mine@9", ""):
        with pytest.raises(RetrainingError, match=rf"model: {model} does not exist in .*; versions: mine@2"):
            template_of(root, model)


def test_options_of_trees_are_taken_over(start):
    manifest = start[0].manifest
    options = vars(BoostingOptions(leaves=9, l2=0.25, rounds=12))
    fit = {name: float(value) for name, value in options.items() if name != "seed"}
    boosted = manifest.model_copy(
        update={
            "architecture": manifest.architecture.model_copy(update={"name": "trees"}),
            "data": manifest.data.model_copy(update={"fit": fit, "seed": 4}),
        }
    )
    plan = training_plan(boosted, "9", None)
    assert plan.options == BoostingOptions(leaves=9, l2=0.25, rounds=12, seed=4)
    assert isinstance(plan.boosting.leaves, int)


def test_an_ensemble_is_refused(root, start):
    ensemble = start[0].manifest.model_copy(
        update={"architecture": start[0].manifest.architecture.model_copy(update={"name": "ensemble"})}
    )
    folder = root / "both" / "1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(ensemble.model_copy(update={"name": "both"}).to_bytes())
    with pytest.raises(
        RetrainingError, match="model: both is an ensemble; retrain a single network or trees"
    ):
        template_of(root, "both")


def test_rolling_bars_are_the_last_ones(root):
    run(root, 400, rolling=200 * DAY)
    data = load(root / "mine" / "20200518.0000").manifest.data
    assert (data.training.last_close - data.training.first_close).days in range(160, 171)
    assert data.training.first_close.timestamp() * 1e6 >= closing(200)
