import logging

import pytest
import torch
from glasstape_server.explain.method import forward_and_gradient
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.models.networks.architectures import ARCHITECTURES
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.models.runtime.compiled_scorer import compile_scorer
from glasstape_server.models.scorer import Scorer
from torch import nn

from tests.support.networks import DEVIATION, MEAN, make_scorer


def _windows(rows, steps=6, features=8):
    return torch.randn(rows, steps, features, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_compiled_network_equals_the_original_at_any_batch_size(name):
    scorer = make_scorer(name)
    fast = compile_scorer(scorer, 6, 8)
    assert fast is not None
    for rows in (1, 2, 3, 8, 16, 64, 65, 511, 1100):
        windows = _windows(rows)
        with torch.no_grad():
            torch.testing.assert_close(fast(windows), scorer(windows), atol=1e-5, rtol=0)
        for score_spec in (ScoreSpec(), ScoreSpec(Score.LOG_PROBABILITY)):
            expected = forward_and_gradient(scorer, windows, score_spec)
            actual = forward_and_gradient(fast, windows, score_spec)
            torch.testing.assert_close(actual[0], expected[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(actual[3], expected[3], atol=1e-5, rtol=0)


def test_an_ensemble_compiles():
    members = [make_scorer(name).network for name in ("conv1d", "conv2d")]
    scorer = Scorer(Ensemble(members), MEAN, DEVIATION).eval().requires_grad_(False)
    fast, windows = compile_scorer(scorer, 6, 8), _windows(5)
    torch.testing.assert_close(
        forward_and_gradient(fast, windows, ScoreSpec())[3],
        forward_and_gradient(scorer, windows, ScoreSpec())[3],
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("name", ["axial", "conv1d", "xcm"])
def test_large_windows_are_computed_in_small_blocks(name):
    scorer = make_scorer(name, 20, 8)
    fast, windows = compile_scorer(scorer, 20, 8), _windows(230, 20)
    assert fast is not None
    with torch.no_grad():
        torch.testing.assert_close(fast(windows), scorer(windows), atol=1e-5, rtol=0)


class _Counting(nn.Module):
    """Network with state that changes at every call, so that a recording would be wrong."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.head = nn.Linear(48, 3)

    def forward(self, x):
        self.calls += 1
        return self.head(x.flatten(1)) * self.calls


def test_a_network_that_cannot_be_recorded_is_not_compiled(caplog):
    scorer = Scorer(_Counting(), MEAN, DEVIATION).eval().requires_grad_(False)
    with caplog.at_level(logging.WARNING):
        assert compile_scorer(scorer, 6, 8) is None
    assert "_Counting runs uncompiled" in caplog.text
