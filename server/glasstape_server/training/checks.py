"""Tests of a trained model that are too slow to make while serving: they go into its manifest."""

import numpy as np
import torch
from torch import Tensor

from glasstape_server.domain.values import Floats, Ints
from glasstape_server.explain.evidence import spearman
from glasstape_server.explain.method import MethodName, Request, Rows, forward_and_gradient
from glasstape_server.explain.methods.integrated_gradients import IntegratedGradients
from glasstape_server.explain.path import completeness_limit
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.manifest import Architecture, Check
from glasstape_server.models.networks.architectures import build
from glasstape_server.models.scorer import Scorer
from glasstape_server.training.calibrate import log_loss_of_each
from glasstape_server.training.dataset import Dataset

LEAST_BAND = 0.2
"""Correlation that is allowed however large the map: its cells share weights, so few of them are independent."""
RANDOMISED = 8
"""Untrained networks that the trained one is compared with."""
WINDOWS = 128
SKILL = 1.645
"""Standard errors above the class shares: the one-sided 5 % point of the normal distribution."""
BLOCK = 10
"""Closes that are averaged before their spread is taken."""
COMPLETE = 0.99


def check_model(
    scorer: Scorer,
    architecture: Architecture,
    validation: Dataset,
    stated: Floats,
    labels: Ints,
    times: Ints,
    shares: Floats,
) -> tuple[Check, ...]:
    """Make every test.

    Args:
        scorer: the trained model.
        architecture: how to build it anew.
        validation: windows that the model did not learn from.
        stated: calibrated probabilities of them, (n, 3).
        labels: what happened, (n,).
        times: close time of each window, (n,); windows of one close count as one observation.
        shares: class shares of the training windows, (3,).
    """
    step = max(1, len(validation) // WINDOWS)
    some = torch.from_numpy(validation.windows(slice(None, None, step))[:WINDOWS])
    return (
        skill(stated, labels, times, shares),
        parameter_randomisation(scorer, architecture, some),
        completeness(scorer, some),
    )


def skill(stated: Floats, labels: Ints, times: Ints, shares: Floats) -> Check:
    """Whether the model says more than the class shares of its training data do: log loss against log loss.

    Reasons of a model that knows nothing are reasons for nothing, however well they agree.
    """
    gained = -np.log(shares[labels]) - log_loss_of_each(stated, labels)
    _, close = np.unique(times, return_inverse=True)
    by_close = np.bincount(close, gained) / np.bincount(close)
    # Labels of neighbouring closes overlap, so that whole blocks of closes are what is independent.
    blocks = np.array([part.mean() for part in np.array_split(by_close, max(2, len(by_close) // BLOCK))])
    error = float(blocks.std(ddof=1) / np.sqrt(len(blocks)))
    value = round(float(by_close.mean()) / error, 4) if error > 0 else 0.0
    text = (
        f"validation log loss is {by_close.mean():+.4f} nats better than the training class shares', {value:+.1f}"
        f" standard errors over {len(by_close)} closes; {SKILL:+g} are asked for"
    )
    return Check(name="skill", value=value, limit=SKILL, passed=value >= SKILL, text=text)


def parameter_randomisation(scorer: Scorer, architecture: Architecture, windows: Tensor) -> Check:
    """Whether gradient maps depend on what was learnt.

    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018), "Sanity checks for saliency maps", section 3:
    maps of networks with every parameter drawn anew must not rank the cells as the trained one's do. The
    most alike of them is held against the 95 % band of Spearman's correlation of one pair of unrelated maps,
    1.96 / sqrt(cells - 1), or 0.2.
    """
    trained = _strength(scorer, windows)
    found = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(RANDOMISED):
            torch.manual_seed(seed)
            network = build(architecture.name, architecture.config).eval().requires_grad_(False)
            untrained = Scorer(network, scorer.mean, scorer.deviation).eval()
            found.append(float(spearman(trained, _strength(untrained, windows)).mean()))
    value = round(float(np.abs(found).max()), 4)
    limit = round(max(LEAST_BAND, 1.96 / float(np.sqrt(trained.shape[1] - 1))), 4)
    text = (
        f"of {RANDOMISED} untrained networks, the most alike has gradient maps that correlate by {value:.2f};"
        f" up to {limit:.2f} is allowed"
    )
    return Check(name="parameter_randomisation", value=value, limit=limit, passed=value <= limit, text=text)


def completeness(scorer: Scorer, windows: Tensor) -> Check:
    """Share of windows whose integrated gradients sum to the score difference within 512 steps."""
    baseline = scorer.mean.expand_as(windows)
    made = IntegratedGradients().attribute(
        scorer,
        Rows(windows, baseline, scorer.deviation),
        Request(MethodName.INTEGRATED_GRADIENTS, ScoreSpec()),
    )
    if made.completeness_error is None or made.baseline_score is None:
        raise TypeError("integrated gradients state their completeness")
    good = made.completeness_error <= completeness_limit(made.score - made.baseline_score)
    value = round(float(good.double().mean()), 4)
    text = f"integrated gradients are complete on {value:.1%} of validation windows; {COMPLETE:.0%} are asked for"
    return Check(name="completeness", value=value, limit=COMPLETE, passed=value >= COMPLETE, text=text)


def _strength(scorer: Scorer, windows: Tensor) -> Tensor:
    """|gradient of the margin| per standard deviation of each feature, (n, cell)."""
    gradient = forward_and_gradient(scorer, windows, ScoreSpec())[3]
    return (gradient * scorer.deviation).abs().flatten(1)
