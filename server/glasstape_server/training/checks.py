"""Checks of a trained model that are too slow for serving. Their results are stored in the manifest."""

import numpy as np
import torch
from torch import Tensor

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.skill import saved_parts
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.defaults import served_default
from glasstape_server.explain.method import Attribution, MethodName, Quantity, Request, Rows
from glasstape_server.explain.path import completeness_limit
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.manifest import Architecture, Check
from glasstape_server.models.networks.architectures import build_untrained
from glasstape_server.models.scorer import Scorer
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.rank_correlation import spearman

MIN_CORRELATION_LIMIT = 0.2
"""Correlation that is allowed for a map of any size, because cells that share weights are not independent."""
UNTRAINED_NETWORKS = 8
"""Untrained networks that the trained one is compared with."""
WINDOWS = 128
"""Windows of the checks of maps, evenly spaced in time."""
SKILL_CHECK = "skill"
"""Name of the check of skill."""
SKILL = 1.645
"""Least skill, standard errors: the one-sided 5 % quantile of the normal distribution."""
BLOCK = 10
"""Closes per block for the standard error."""
COMPLETE_METHODS = (
    MethodName.INTEGRATED_GRADIENTS,
    MethodName.TREE_SHAP,
    MethodName.SHAPLEY_FEATURES,
    MethodName.SHAPLEY_BARS,
)
"""Methods whose completeness is checked: the first that the model serves."""
COMPLETE = 0.99
"""Least share of windows with complete integrated gradients."""


def check_model(
    scorer: Scorer,
    architecture: Architecture,
    data: Dataset,
    measured_skill: Check,
) -> tuple[Check, ...]:
    """Run all checks of a model.

    Args:
        scorer: of the trained model.
        architecture: of its network.
        data: windows of the check, or of validation if there are none.
        measured_skill: result of `skill` or `no_skill`.
    """
    step = max(1, len(data) // WINDOWS)
    windows = torch.from_numpy(data.windows(slice(None, None, step))[:WINDOWS])
    return (
        measured_skill,
        parameter_randomization(scorer, architecture, windows),
        completeness(scorer, windows),
    )


def skill(probabilities: Floats, labels: Ints, times: Ints, shares: Floats) -> Check:
    """Check that the log loss is significantly better than that of the training class shares.

    Windows that selected the epoch or the temperature would make a network look better than it is: on noise by 0.3 to
    0.7 standard errors.

    Args:
        probabilities: calibrated, of windows that selected nothing, (n, 3).
        labels: class indices, (n,).
        times: close times, (n,); windows of one close count as one observation.
        shares: class shares of the training windows, (3,).
    """
    parts = saved_parts(probabilities, labels, shares)
    gain = parts.sum(axis=1)
    _, close = np.unique(times, return_inverse=True)
    by_close = np.bincount(close, gain) / np.bincount(close)
    # Labels of neighboring closes overlap, so that only blocks of closes are independent.
    blocks = np.array([part.mean() for part in np.array_split(by_close, max(2, len(by_close) // BLOCK))])
    error = float(blocks.std(ddof=1) / np.sqrt(len(blocks)))
    value = round(float(by_close.mean()) / error, 4) if error > 0 else 0.0
    text = (
        f"log loss is {by_close.mean():+.4f} nats better than the training class shares' (by window, FLAT "
        f"{parts[:, 0].mean():+.4f} and direction {parts[:, 1].mean():+.4f}), {value:+.1f} standard errors over "
        f"{len(by_close)} closes that selected neither epoch nor temperature; at least {SKILL:+g} are required"
    )
    return Check(name=SKILL_CHECK, value=value, limit=SKILL, passed=value >= SKILL, text=text)


def no_skill(rule: str) -> Check:
    """Return the failed check of a model whose skill cannot be measured; `rule` states what is missing."""
    text = f"not measured, because no windows are left that selected neither epoch nor temperature: {rule}"
    return Check(name=SKILL_CHECK, value=0.0, limit=SKILL, passed=False, text=text)


def parameter_randomization(scorer: Scorer, architecture: Architecture, windows: Tensor) -> Check:
    """Check that maps depend on the trained parameters: gradients, or the model's default map if it has none.

    Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim (2018), "Sanity checks for saliency maps", section 3: maps of
    networks with random parameters must not rank the cells as those of the trained network do. The largest correlation
    is compared with the 95 % band of Spearman's correlation of one pair of unrelated maps, 1.96 / sqrt(cells - 1), at
    least 0.2.

    Args:
        scorer: of the trained model.
        architecture: of its network.
        windows: (n, time, feature).
    """
    trained = _strength(scorer, windows)
    correlations = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(UNTRAINED_NETWORKS):
            torch.manual_seed(seed)
            network = build_untrained(architecture.name, architecture.config).eval().requires_grad_(False)
            untrained = Scorer(network, scorer.mean, scorer.deviation).eval()
            correlations.append(float(spearman(trained, _strength(untrained, windows)).mean()))
    value = round(float(np.abs(correlations).max()), 4)
    limit = round(max(MIN_CORRELATION_LIMIT, 1.96 / float(np.sqrt(trained.shape[1] - 1))), 4)
    text = (
        f"largest correlation of {_map_name(scorer, windows)} maps with those of {UNTRAINED_NETWORKS} untrained"
        f" networks: {value:.2f}, at most {limit:.2f}"
    )
    return Check(name="parameter_randomization", value=value, limit=limit, passed=value <= limit, text=text)


def completeness(scorer: Scorer, windows: Tensor) -> Check:
    """Check that contributions are complete on nearly all windows (n, time, feature).

    Of networks, those of integrated gradients within 512 steps; of trees, those of TreeSHAP; of ensembles of both,
    those of Shapley values of whole bars or features.

    Raises:
        TypeError: the method reports no completeness error.
    """
    shape = (windows.shape[1], windows.shape[2])
    name = next(name for name in COMPLETE_METHODS if METHODS[name].serves(scorer, shape))
    attribution = _attribution(scorer, windows, name)
    error, baseline_score = attribution.completeness_error, attribution.baseline_score
    if error is None or baseline_score is None:
        raise TypeError(f"{name.name} must report its completeness error")
    complete = error <= completeness_limit(attribution.score - baseline_score)
    value = round(float(complete.double().mean()), 4)
    text = (
        f"{_text(name)} are complete on {value:.1%} of {len(windows)} windows;"
        f" at least {COMPLETE:.0%} are required"
    )
    return Check(name="completeness", value=value, limit=COMPLETE, passed=value >= COMPLETE, text=text)


def _strength(scorer: Scorer, windows: Tensor) -> Tensor:
    """Return |map of the margin| in comparable units, (n, cell): of gradients, or the default map without them."""
    name = _map_method(scorer, windows)
    values = _attribution(scorer, windows, name).values
    if METHODS[name].quantity is Quantity.SENSITIVITY:
        values = values * scorer.deviation
    return values.abs().flatten(1)


def _map_method(scorer: Scorer, windows: Tensor) -> MethodName:
    return served_default(scorer, (windows.shape[1], windows.shape[2]), MethodName.GRADIENT)


def _map_name(scorer: Scorer, windows: Tensor) -> str:
    return _text(_map_method(scorer, windows))


def _text(name: MethodName) -> str:
    return name.name.lower().replace("_", " ")


def _attribution(scorer: Scorer, windows: Tensor, name: MethodName) -> Attribution:
    rows = Rows(windows, scorer.mean.expand_as(windows), scorer.deviation)
    return METHODS[name].attribute(scorer, rows, Request(name, ScoreSpec()))
