"""Models of the known-truth benchmark: trained networks, and the Bayes-optimal classifier."""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from glasstape_server.bench.known_truth.sets import truth_set
from glasstape_server.bench.known_truth.truth_set import KnownTruth, Random
from glasstape_server.bench.known_truth.units import AffineInput
from glasstape_server.bench.truth_task import BAYES, TruthTask
from glasstape_server.domain.arrays import Ints
from glasstape_server.domain.statistics import softmax
from glasstape_server.models.manifest import Architecture, Check
from glasstape_server.models.networks.architectures import BOOSTED, build, default_config
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import calibrate
from glasstape_server.training.boosting import BoostingOptions, boost
from glasstape_server.training.checks import parameter_randomization, skill
from glasstape_server.training.examples import Normalization, TensorExamples
from glasstape_server.training.fit import FitOptions, fit, logits_of

VALIDATION = 2000
"""Validation windows."""
BAYES_WINDOWS = 20_000
"""Windows that the normalization of the Bayes-optimal classifier is computed from."""


@dataclass(frozen=True, slots=True)
class TruthModel:
    """Model of one set, with its checks."""

    scorer: Scorer
    """With the mean and deviation of each feature of the training windows."""
    validation: KnownTruth
    checks: tuple[Check, ...]
    temperature: float = 1.0
    """Of its probabilities."""


def model_of(task: TruthTask, random: Random) -> TruthModel:
    """Train the network of a task, or return the Bayes-optimal classifier of its set.

    Args:
        task: what to train.
        random: generator of the windows.

    Raises:
        ValueError: the set has no Bayes-optimal classifier.
    """
    return _bayes(task, random) if task.architecture == BAYES else _trained(task, random)


def _bayes(task: TruthTask, random: Random) -> TruthModel:
    source = truth_set(task.kind, task.steps, task.features)
    posterior = source.posterior()
    if posterior is None:
        raise ValueError(f"kind: must have a Bayes-optimal classifier, is {task.kind!r}")
    training, validation = (source.draw(n, random) for n in (BAYES_WINDOWS, VALIDATION))
    statistics = training.normalization()
    network = AffineInput(posterior, statistics.deviation, statistics.mean)
    scorer = Scorer(network, statistics.mean, statistics.deviation).eval()
    with torch.no_grad():
        probabilities = torch.softmax(scorer(torch.from_numpy(validation.windows)).double(), 1).numpy()
    shares = np.bincount(training.labels, minlength=3) / len(training)
    check = skill(probabilities, validation.labels, np.arange(len(validation)), shares)
    return TruthModel(scorer, validation, (check,))


def _trained(task: TruthTask, random: Random) -> TruthModel:
    source = truth_set(task.kind, task.steps, task.features)
    training, validation = (source.draw(n, random) for n in (task.windows, VALIDATION))
    labels = [random.permutation(t.labels) if task.permuted else t.labels for t in (training, validation)]
    statistics = training.normalization()
    examples = [_examples(*part, statistics) for part in zip((training, validation), labels, strict=True)]
    architecture, network = _fitted(task, *examples)
    scorer = Scorer(network, statistics.mean, statistics.deviation).eval()
    logits = logits_of(network, examples[1])
    temperature = calibrate.fit_temperature(logits, labels[1])
    # Windows that selected neither epoch nor temperature, of a generator of their own: the others stay as they are.
    (fresh_random,) = random.spawn(1)
    fresh = source.draw(VALIDATION, fresh_random)
    fresh_labels = fresh_random.permutation(fresh.labels) if task.permuted else fresh.labels
    probabilities = softmax(logits_of(network, _examples(fresh, fresh_labels, statistics)), temperature)
    shares = np.bincount(labels[0], minlength=3) / len(labels[0])
    checks = (
        skill(probabilities, fresh_labels, np.arange(len(fresh)), shares),
        parameter_randomization(scorer, architecture, torch.from_numpy(validation.windows[:128])),
    )
    return TruthModel(scorer, validation, checks, temperature)


def _fitted(
    task: TruthTask, training: TensorExamples, validation: TensorExamples
) -> tuple[Architecture, nn.Module]:
    """Return the network of a task, or its trees, fitted on examples of training and validation."""
    if task.architecture in BOOSTED:
        trees = boost(task.architecture, training, validation, BoostingOptions(seed=task.seed))
        return Architecture(name=task.architecture, config=asdict(trees.config)), trees
    architecture = Architecture(
        name=task.architecture, config=default_config(task.architecture, task.steps, task.features)
    )
    options = FitOptions(seed=task.seed, epochs=task.epochs, patience=task.epochs)
    network = fit(partial(build, architecture.name, architecture.config), training, validation, options)
    return architecture, network.requires_grad_(False)


def _examples(truth: KnownTruth, labels: Ints, statistics: Normalization) -> TensorExamples:
    windows = (torch.from_numpy(truth.windows) - statistics.mean) / statistics.deviation
    return TensorExamples(windows, torch.from_numpy(labels))
