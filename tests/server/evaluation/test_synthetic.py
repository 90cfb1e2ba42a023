import numpy as np
import pytest
from glasstape_server.evaluation.synthetic import (
    INTERVAL,
    RULE,
    known_signal,
    market,
    no_signal,
    probabilities,
)
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.files import to_bars
from glasstape_server.market.rules import check_bar
from glasstape_server.training import dataset


@pytest.fixture(scope="module", params=[known_signal, no_signal])
def made(request):
    frame = market(request.param, 150, 160, seed=1)
    return request.param, frame, dataset.build(frame, INTERVAL, FeatureSpec(), RULE)


def test_its_bars_are_bars(made):
    _, frame, _ = made
    for bar in to_bars(frame.head(300), INTERVAL):
        check_bar(bar)


def test_the_true_probabilities_are_what_comes(made):
    signal, _, data = made
    rule = data.fitted(RULE)
    stated, labels = probabilities(signal, data.windows(), rule.k), data.labels(rule)
    np.testing.assert_allclose(stated.sum(axis=1), 1)
    error = 4 * np.sqrt(stated.mean(axis=0) / len(labels))
    assert (np.abs(stated.mean(axis=0) - np.bincount(labels) / len(labels)) < error).all()
    right = stated.argmax(axis=1) == labels
    assert right.mean() == pytest.approx(stated.max(axis=1).mean(), abs=4 * 0.5 / np.sqrt(len(labels)))


def test_one_signal_is_worth_knowing_and_the_other_is_nothing(made):
    signal, _, data = made
    best = probabilities(signal, data.windows(), data.fitted(RULE).k).max(axis=1).mean()
    if signal is known_signal:
        assert best > 0.45
    else:
        assert best < 0.37
