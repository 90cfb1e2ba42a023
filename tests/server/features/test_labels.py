import numpy as np
import pytest
from glasstape_server.domain import Entry
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import LabelRule, classify, future_returns, labels
from glasstape_server.features.spec import FeatureSpec
from made_up import series

SPEC = FeatureSpec()


def test_the_return_starts_at_the_entry():
    market = series(100)
    for entry in Entry:
        rule = LabelRule(entry=entry, horizon_bars=3)
        returns = future_returns(SPEC, rule, market)
        expected = np.log(market.close[50 + entry + 3] / market.close[50 + entry])
        assert returns[50] == pytest.approx(expected)
        assert np.isnan(returns[-rule.bars_ahead :]).all()
        assert np.isfinite(returns[: -rule.bars_ahead]).all()


def test_labels_agree_with_the_rule_one_by_one():
    market = series(200, 5)
    rule = LabelRule(horizon_bars=2, k=0.5)
    found = labels(SPEC, rule, market)
    returns, sigma = future_returns(SPEC, rule, market), volatility(SPEC, market)
    for t in range(30, 190):
        assert found[t] == classify(returns[t], float(rule.threshold(sigma)[t]))
    assert set(found[30:190]) == {0, 1, 2}
    assert (found[:20] == -1).all()


def test_the_rule_survives_its_json():
    rule = LabelRule(horizon_bars=5, entry=Entry.CURRENT_CLOSE, k=0.4)
    assert LabelRule.from_dict(rule.to_dict()) == rule
