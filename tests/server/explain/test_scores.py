import numpy as np
import pytest
import torch
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.signals import Direction
from glasstape_server.explain.scores import Score, ScoreSpec
from networks import attribute, make_scorer, rows_of

LOGITS = torch.tensor([[1.0, 3.0, 2.0], [0.5, -1.0, 0.0]])


def test_margin_is_winner_minus_runner_up():
    frozen = ScoreSpec().freeze(LOGITS)
    assert frozen.target.tolist() == [1, 0]
    assert frozen.foil.tolist() == [2, 2]
    assert frozen.of(LOGITS).tolist() == [1.0, 0.5]


def test_target_and_foil_stay_fixed_when_the_logits_change():
    frozen = ScoreSpec().freeze(LOGITS)
    assert frozen.of(torch.zeros(2, 3)).tolist() == [0.0, 0.0]
    assert frozen.of(LOGITS.flip(1)).tolist() == [2.0, -0.5]


def test_a_foil_alone_is_compared_with_the_highest_other_class():
    frozen = ScoreSpec(foil=Direction.FLAT).freeze(LOGITS)
    assert frozen.target.tolist() == [2, 0]
    assert frozen.foil.tolist() == [1, 1]


def test_log_probability_is_the_log_softmax_of_the_target():
    frozen = ScoreSpec(Score.LOG_PROBABILITY, target=Direction.UP).freeze(LOGITS)
    assert frozen.foil is None
    np.testing.assert_allclose(frozen.of(LOGITS), torch.log_softmax(LOGITS, 1)[:, 2])


@pytest.mark.parametrize("score", list(Score))
def test_the_slope_of_a_score_is_its_derivative(score):
    frozen = ScoreSpec(score).freeze(LOGITS)
    logits = LOGITS.repeat_interleave(2, 0).requires_grad_(True)
    (expected,) = torch.autograd.grad(frozen.of(logits, 2).sum(), logits)
    np.testing.assert_allclose(frozen.slope(logits, 2), expected, atol=1e-6)


def test_up_minus_down_equals_the_margin_of_up_and_down(windows):
    scorer = make_scorer("conv1d")
    margin = attribute(scorer, rows_of(windows), "GRADIENT", target=Direction.UP, foil=Direction.DOWN)
    fixed = attribute(scorer, rows_of(windows), "GRADIENT", score=Score.UP_MINUS_DOWN)
    np.testing.assert_array_equal(margin.values, fixed.values)


def test_contradictory_specs_are_rejected():
    for score_spec in (
        {"score": Score.LOGIT, "foil": Direction.UP},
        {"score": Score.UP_MINUS_DOWN, "target": Direction.UP},
        {"target": Direction.UP, "foil": Direction.UP},
    ):
        with pytest.raises(InvalidArgument):
            ScoreSpec(**score_spec)
