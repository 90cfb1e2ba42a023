"""Networks with random weights, and explanations of them."""

import torch
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import MethodName, Request, Rows
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.networks.architectures import build, default_config
from glasstape_server.models.scorer import Scorer

MEAN = torch.linspace(-0.3, 0.4, 8)
DEVIATION = torch.linspace(0.5, 1.5, 8)


def make_scorer(architecture, steps=6, features=8):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = build(architecture, default_config(architecture, steps, features))
    mean, deviation = MEAN[:features], DEVIATION[:features]
    return Scorer(network, mean, deviation).eval().requires_grad_(False)


def rows_of(windows, baseline=None, background=None):
    baseline = torch.zeros_like(windows) if baseline is None else baseline
    background = torch.zeros(0) if background is None else background
    return Rows(windows, baseline, DEVIATION, background)


def attribute(scorer, rows, method, *, samples=0, seed=0, **score_spec):
    name = MethodName[method]
    return METHODS[name].attribute(scorer, rows, Request(name, ScoreSpec(**score_spec), None, samples, seed))


def served(scorer):
    return [name.name for name, method in METHODS.items() if method.serves(scorer, (6, 8))]
