"""Signs of score differences stand in for those of gradients, which trees do not have."""

import torch
from glasstape_server.explain.differences import difference_stability
from glasstape_server.explain.scores import ScoreSpec
from networks import make_scorer, rows_of


def stability_of(scorer, windows, seed=0):
    frozen = ScoreSpec().freeze(scorer(windows))
    return difference_stability(scorer, rows_of(windows), frozen, seed)


def test_every_sign_of_a_linear_model_is_stable(windows):
    assert (stability_of(make_scorer("linear"), windows) == 1).all()


def test_signs_of_a_function_that_turns_around_in_the_window_are_not_stable(windows):
    def network(x):
        """A parabola in one cell, centered at 0, and a slope in another."""
        up = x[:, 2, 3] ** 2 + x[:, 4, 5]
        return torch.stack([torch.zeros_like(up), -torch.ones_like(up) * 100, up], dim=1)

    at_the_turn = torch.zeros(3, 6, 8)
    stability = stability_of(network, at_the_turn)
    assert (stability[:, 2, 3] < 1).all()
    assert (stability[:, 4, 5] == 1).all()
    assert (stability[:, 0, 0] == 1).all()  # without effect: all differences are 0


def test_stability_depends_on_the_seed_alone_and_not_on_the_batch(windows):
    scorer = make_scorer("conv1d")
    together = stability_of(scorer, windows)
    alone = torch.cat([stability_of(scorer, window[None]) for window in windows])
    assert torch.equal(together, alone)
    assert not torch.equal(together, stability_of(scorer, windows, seed=1))
