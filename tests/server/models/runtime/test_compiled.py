import logging

import pytest
import torch
from glasstape_server.explain.method import forward_and_gradient
from glasstape_server.explain.scores import Question, Score
from glasstape_server.models.networks.architectures import ARCHITECTURES
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.models.runtime.compiled import compiled
from glasstape_server.models.scorer import Scorer
from torch import nn

from tests.support.networks import DEVIATION, MEAN, make_scorer


def _windows(rows, steps=6, features=8):
    return torch.randn(rows, steps, features, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_compiled_network_and_its_gradient_are_the_networks_at_any_batch_size(name):
    scorer = make_scorer(name)
    fast = compiled(scorer, 6, 8)
    assert fast is not None
    for rows in (1, 3, 64, 1100):
        windows = _windows(rows)
        with torch.no_grad():
            torch.testing.assert_close(fast(windows), scorer(windows), atol=1e-5, rtol=0)
        for question in (Question(), Question(Score.LOG_PROBABILITY)):
            plain = forward_and_gradient(scorer, windows, question)
            ours = forward_and_gradient(fast, windows, question)
            torch.testing.assert_close(ours[0], plain[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(ours[3], plain[3], atol=1e-5, rtol=0)


def test_an_ensemble_is_compiled_as_one():
    members = [make_scorer(name).network for name in ("conv1d", "conv2d")]
    scorer = Scorer(Ensemble(members), MEAN, DEVIATION).eval().requires_grad_(False)
    fast, windows = compiled(scorer, 6, 8), _windows(5)
    torch.testing.assert_close(
        forward_and_gradient(fast, windows, Question())[3],
        forward_and_gradient(scorer, windows, Question())[3],
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("name", ["axial", "conv1d", "xcm"])
def test_large_windows_go_in_small_blocks(name):
    scorer = make_scorer(name, 20, 8)
    fast, windows = compiled(scorer, 20, 8), _windows(230, 20)
    assert fast is not None
    with torch.no_grad():
        torch.testing.assert_close(fast(windows), scorer(windows), atol=1e-5, rtol=0)


class _Counting(nn.Module):
    """Changes itself at every call: what was recorded once would be wrong the next time."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.head = nn.Linear(48, 3)

    def forward(self, x):
        self.calls += 1
        return self.head(x.flatten(1)) * self.calls


def test_a_network_that_cannot_be_recorded_runs_as_it_is(caplog):
    scorer = Scorer(_Counting(), MEAN, DEVIATION).eval().requires_grad_(False)
    with caplog.at_level(logging.WARNING):
        assert compiled(scorer, 6, 8) is None
    assert "_Counting runs uncompiled" in caplog.text
