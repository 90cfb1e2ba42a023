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
def generated(request):
    frame = market(request.param, 150, 160, seed=1)
    return request.param, frame, dataset.build(frame, INTERVAL, FeatureSpec(), RULE)


def test_generated_bars_are_valid(generated):
    _, frame, _ = generated
    for bar in to_bars(frame.head(300), INTERVAL):
        check_bar(bar)


def test_classes_occur_with_the_true_probabilities(generated):
    signal, _, data = generated
    rule = data.fitted(RULE)
    true, labels = probabilities(signal, data.windows(), rule.k), data.labels(rule)
    np.testing.assert_allclose(true.sum(axis=1), 1)
    error = 4 * np.sqrt(true.mean(axis=0) / len(labels))
    assert (np.abs(true.mean(axis=0) - np.bincount(labels) / len(labels)) < error).all()
    right = true.argmax(axis=1) == labels
    assert right.mean() == pytest.approx(true.max(axis=1).mean(), abs=4 * 0.5 / np.sqrt(len(labels)))


def test_only_the_known_signal_raises_the_bayes_accuracy(generated):
    signal, _, data = generated
    best = probabilities(signal, data.windows(), data.fitted(RULE).k).max(axis=1).mean()
    if signal is known_signal:
        assert best > 0.45
    else:
        assert best < 0.37
