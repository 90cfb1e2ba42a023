import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.metrics import LabeledPredictions, MetricEstimates
from glasstape_server.evaluation.simulated import common_factor, ece_if_calibrated
from scipy.special import ndtr


def clustered(factor, days=250, each=40, seed=0):
    """True probabilities, and outcomes with a common factor per day."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), each)
    probabilities = 0.8 * random.dirichlet([8, 8, 8], days)[day] + 0.2 * random.dirichlet(
        [8, 8, 8], days * each
    )
    shared = random.standard_normal(days)[day]
    uniform = ndtr(np.sqrt(factor) * shared + np.sqrt(1 - factor) * random.standard_normal(len(day)))
    labels = (uniform[:, None] > probabilities.cumsum(axis=1)[:, :2]).sum(axis=1)
    return LabeledPredictions(probabilities, labels, (day + 1) * DAY, np.full((len(day), 3), 1 / 3)), day


@pytest.mark.parametrize("factor", [0.0, 0.3])
def test_the_common_factor_is_estimated(factor):
    predicted, day = clustered(factor)
    assert common_factor(predicted, day, np.random.default_rng(1)) == pytest.approx(factor, abs=0.05)


def test_clustering_by_day_increases_the_ece_of_calibrated_predictions():
    for factor in (0.0, 0.3):
        predicted, day = clustered(factor)
        simulated = ece_if_calibrated(predicted, day)
        assert simulated.low <= simulated.value <= simulated.high
        assert MetricEstimates(predicted).estimates["ece"].value < simulated.high * 1.2
    assert ece_if_calibrated(*clustered(0.3)).value > 1.3 * ece_if_calibrated(*clustered(0.0)).value
