"""Rule by which a candidate replaces the active model."""

from datetime import timedelta

import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.synthetic import INTERVAL, RULE
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.model import Model
from glasstape_server.training.promotion_rule import LabeledBars, PromotionRule, judge
from retrained import bars_to, closing, trained

SHADOW = PromotionRule(shadow=14 * DAY, margin=0.0)
LOOSE = PromotionRule(shadow=14 * DAY, margin=0.1)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {
        "poor": trained(root, "1", 300, spec=FeatureSpec(names=("close_return", "relative_volume"))),
        "good": trained(root, "2", 330),
        "short": trained(root, "3", 330, lifetime=timedelta(days=10)),
        "few": trained(root, "4", 330, spec=FeatureSpec(names=("rsi",))),
        "worse": trained(root, "6", 330, spec=FeatureSpec(names=("close_return", "relative_volume"))),
        "longer": trained(root, "5", 330, rule=LabelRule(horizon_bars=3, entry=RULE.entry)),
    }


def bars(day):
    return LabeledBars(bars_to(day), INTERVAL, "UTC", closing(day))


def test_a_better_candidate_passes_and_a_worse_one_does_not(models):
    judgment = judge(models["good"], models["poor"], bars(400), SHADOW)
    assert judgment.passed
    assert judgment.text.startswith("saves +0.")
    assert "2,100 windows of 70 sessions later than the data of both" in judgment.text
    judgment = judge(models["worse"], models["good"], bars(400), SHADOW)
    assert not judgment.passed
    assert judgment.text.startswith("saves -0.")


def test_a_candidate_that_is_as_good_passes_with_a_margin_and_not_without(models):
    assert judge(models["good"], models["good"], bars(360), LOOSE).passed
    judgment = judge(models["good"], models["good"], bars(360), SHADOW)
    assert not judgment.passed
    assert judgment.text.endswith("the interval must lie above -0.00000")


def test_a_candidate_is_judged_by_bars_that_neither_model_has_seen(models):
    """Ten sessions are too few for it, although the active model has not seen thirty more."""
    judgment = judge(models["good"], models["poor"], bars(339), PromotionRule(shadow=0))
    assert not judgment.passed
    assert judgment.text == (
        "compared on 9 sessions later than the data of both models, at least 10 are required"
    )
    assert "10 sessions" in judge(models["good"], models["poor"], bars(340), PromotionRule(shadow=0)).text


def test_a_candidate_shadows_first(models):
    judgment = judge(models["good"], models["poor"], bars(342), SHADOW)
    assert not judgment.passed
    assert judgment.text == "shadow for 13 d of bars, at least 14 d are required"
    assert judge(models["good"], models["poor"], bars(343), LOOSE).passed


def test_an_expired_candidate_fails(models):
    assert judge(models["short"], models["poor"], bars(360), SHADOW).text.startswith("expired on 20")
    assert models["short"].manifest.expires == models["short"].manifest.data.seen_until + timedelta(days=10)


def test_a_candidate_without_skill_fails(models):
    model = models["good"]
    checks = tuple(
        check.model_copy(update={"passed": False}) if check.name == "skill" else check
        for check in model.manifest.checks
    )
    failed = Model(
        model.manifest.model_copy(update={"checks": checks}), model.scorer.network, model.statistics
    )
    judgment = judge(failed, models["poor"], bars(360), LOOSE)
    assert not judgment.passed
    assert judgment.text.startswith("failed skill: log loss is")


def test_models_with_other_features_are_compared_and_with_other_labels_are_not(models):
    judgment = judge(models["few"], models["good"], bars(400), SHADOW)
    assert judgment.passed
    assert "2,100 windows of 70 sessions" in judgment.text
    judgment = judge(models["longer"], models["good"], bars(380), LOOSE)
    assert not judgment.passed
    assert judgment.text == "its labels are others than those of the active model, which cannot be compared"


@pytest.mark.parametrize("margin", [-0.001, 0.2, float("nan")])
def test_a_margin_out_of_range_is_refused(margin):
    with pytest.raises(ValueError, match=r"margin: must be 0-0\.1, is "):
        PromotionRule(shadow=0, margin=margin)
