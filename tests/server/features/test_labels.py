import numpy as np
import pytest
from glasstape_server.domain.signals import Entry
from glasstape_server.features.labels import LabelRule, future_paths, realized
from glasstape_server.features.spec import FeatureSpec
from made_up import series

SPEC = FeatureSpec()


def test_the_paths_start_at_the_entry():
    market = series(100)
    for entry in Entry:
        rule = LabelRule(entry=entry, horizon_bars=3)
        paths = future_paths(SPEC, rule, market)
        expected = np.log(market.close[50 + entry + 1 : 50 + entry + 4] / market.close[50 + entry])
        np.testing.assert_allclose(paths[50], expected)
        assert np.isnan(paths[-rule.bars_ahead :]).all()
        assert np.isfinite(paths[: -rule.bars_ahead]).all()


def test_a_horizon_that_leaves_its_session_is_not_known():
    market = series(20)
    split = FeatureSpec(session_gap="split")
    assert np.isnan(future_paths(split, LabelRule(), market)).all()


PATHS = np.array([[0.01, 0.03, -0.05], [0.01, -0.01, 0.0], [-0.03, 0.05, 0.06]])


@pytest.mark.parametrize(
    ("kind", "classes", "returns"),
    [("horizon", [0, 1, 2], [-0.05, 0.0, 0.06]), ("triple_barrier", [2, 1, 0], [0.03, 0.0, -0.03])],
)
def test_the_end_decides_or_the_first_close_beyond_the_threshold(kind, classes, returns):
    found = realized(kind, PATHS, np.full(3, 0.02))
    assert found[0].tolist() == classes
    assert found[1].tolist() == returns


def test_over_one_bar_both_rules_are_one():
    paths = np.random.default_rng(0).normal(0, 0.02, (100, 1))
    threshold = np.full(100, 0.01)
    for ours, theirs in zip(
        realized("horizon", paths, threshold), realized("triple_barrier", paths, threshold), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_rule_survives_its_json_and_says_what_it_is():
    rule = LabelRule(kind="triple_barrier", horizon_bars=5, entry=Entry.CURRENT_CLOSE, k=0.4)
    assert LabelRule.from_dict(rule.to_dict()) == rule
    assert "first close beyond" in rule.text
    older = {name: value for name, value in rule.to_dict().items() if name != "kind"}
    assert LabelRule.from_dict(older).kind == "horizon"
    with pytest.raises(ValueError, match="'best'"):
        LabelRule.from_dict({**rule.to_dict(), "kind": "best"})
