import numpy as np
import pytest
from glasstape_server.domain.values import DAY
from glasstape_server.evaluation.figures import Figures, Predicted
from glasstape_server.evaluation.simulated import calibrated_ece, common_factor
from scipy.special import ndtr


def clustered(factor, days=250, each=40, seed=0):
    """True confidences, and outcomes that share a factor of the day."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), each)
    stated = 0.8 * random.dirichlet([8, 8, 8], days)[day] + 0.2 * random.dirichlet([8, 8, 8], days * each)
    shared = random.standard_normal(days)[day]
    uniform = ndtr(np.sqrt(factor) * shared + np.sqrt(1 - factor) * random.standard_normal(len(day)))
    labels = (uniform[:, None] > stated.cumsum(axis=1)[:, :2]).sum(axis=1)
    return Predicted(stated, labels, (day + 1) * DAY, np.full((len(day), 3), 1 / 3)), day


@pytest.mark.parametrize("factor", [0.0, 0.3])
def test_the_days_common_factor_is_found(factor):
    given, day = clustered(factor)
    assert common_factor(given, day, np.random.default_rng(1)) == pytest.approx(factor, abs=0.05)


def test_true_confidences_look_worse_where_days_hang_together_and_the_yardstick_says_so():
    for factor in (0.0, 0.3):
        given, day = clustered(factor)
        yardstick = calibrated_ece(given, day)
        assert yardstick.low <= yardstick.value <= yardstick.high
        assert Figures(given).estimates["ece"].value < yardstick.high * 1.2
    assert calibrated_ece(*clustered(0.3)).value > 1.3 * calibrated_ece(*clustered(0.0)).value
