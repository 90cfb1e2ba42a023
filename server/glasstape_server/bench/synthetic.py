"""`glasstape bench synthetic`: accuracy of a trained network on a synthetic market, relative to the Bayes accuracy.

One market is generated with a known signal, and one without. A network is trained on each as by `glasstape train`.
"""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.statistics import IntervalEstimate, softmax
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.metrics import LabeledPredictions, MetricEstimates
from glasstape_server.evaluation.synthetic import (
    FIRST_CLOSE,
    INTERVAL,
    RULE,
    Signal,
    known_signal,
    market,
    no_signal,
    probabilities,
)
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.examples import DatasetExamples
from glasstape_server.training.fit import FitOptions, logits_of
from glasstape_server.training.train import TrainingPlan, train
from glasstape_server.training.training_split import TrainingSettings, TrainingSplit

TRAIN_END = 0.5
VALIDATION_END = 0.6
"""Shares of the bars with windows after which training and validation end."""


@dataclass(frozen=True, slots=True)
class SyntheticResult:
    """Result on one market."""

    signal: str
    trained: int
    """Training windows."""
    tested: int
    """Test windows."""
    bayes: float
    """Accuracy of the true probabilities on the same test windows."""
    shortfall: IntervalEstimate
    """Bayes accuracy minus the accuracy of the network."""
    log_loss_gain: IntervalEstimate
    """Over the class prior, nats."""
    accuracy: IntervalEstimate
    accuracy_gain: IntervalEstimate
    """Over the base rate."""
    ece: IntervalEstimate


def run(architecture: str, symbols: int, bars: int, epochs: int, seed: int) -> list[SyntheticResult]:
    """Train and test on both markets.

    Args:
        architecture: name of the network.
        symbols: number of symbols.
        bars: per symbol.
        epochs: largest number of epochs.
        seed: of market and training.

    Raises:
        ValueError: too few bars.
    """
    least = FeatureSpec().min_bars + 250
    if bars < least:
        raise ValueError(f"--bars: must be {least} or more, for enough test days, is {bars}")
    signals: dict[str, Signal] = {"known": known_signal, "none": no_signal}
    return [_run(name, g, architecture, symbols, bars, epochs, seed) for name, g in signals.items()]


def _run(
    name: str, signal: Signal, architecture: str, symbols: int, bars: int, epochs: int, seed: int
) -> SyntheticResult:
    frame, spec = market(signal, symbols, bars, seed), FeatureSpec()
    usable = bars - spec.min_bars
    until, end = (
        FIRST_CLOSE + int(spec.min_bars + usable * part) * DAY for part in (TRAIN_END, VALIDATION_END)
    )
    data = TrainingSplit(
        frame, TrainingSettings(interval=INTERVAL, train_until=until, validate_until=end, rule=RULE)
    )
    fit = FitOptions(seed=seed, epochs=epochs, patience=4, batch=512)
    trained = train(data, TrainingPlan(name="synthetic", version="1", architecture=architecture, fit=fit))
    test = dataset.build(frame, INTERVAL, spec, RULE).between(end, FIRST_CLOSE + bars * DAY)
    labels = test.labels(data.rule)
    validation_logits = logits_of(trained.network, data.examples[1])
    temperature = calibrate.fit_temperature(validation_logits, data.labels[1])
    logits = logits_of(trained.network, DatasetExamples(test, labels, data.normalization))
    shares = np.bincount(data.labels[0], minlength=3) / len(data.labels[0])

    def metrics(predicted: Floats) -> MetricEstimates:
        return MetricEstimates(
            LabeledPredictions(predicted, labels, test.close_time, np.tile(shares, (len(test), 1)))
        )

    trained_metrics = metrics(softmax(logits, temperature))
    bayes_metrics = metrics(probabilities(signal, test.windows(), data.rule.k))
    return SyntheticResult(
        name,
        len(data.training),
        len(test),
        bayes_metrics.estimates["accuracy"].value,
        bayes_metrics.difference(trained_metrics, "accuracy"),
        trained_metrics.estimates["log_loss_gain"],
        trained_metrics.estimates["accuracy"],
        trained_metrics.estimates["accuracy_gain"],
        trained_metrics.estimates["ece"],
    )


def to_text(results: list[SyntheticResult], architecture: str) -> str:
    """Return a table in Markdown."""
    head = ["signal", "training windows", "test windows", "Bayes accuracy", "accuracy", "shortfall (points)"]
    head += ["accuracy gain (points)", "log loss gain (nats)", "ECE"]
    rows = [
        [
            r.signal, f"{r.trained:,}", f"{r.tested:,}", f"{r.bayes:.2%}", f"{r.accuracy.value:.2%}",
            _points(r.shortfall), _points(r.accuracy_gain), str(r.log_loss_gain), f"{r.ece.value:.4f}",
        ]
        for r in results
    ]  # fmt: skip
    return "\n".join(
        [
            f"Network {architecture}; confidence intervals: 95 %, block bootstrap over ten days.",
            "",
            *("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)),
        ]
    )


def _points(e: IntervalEstimate) -> str:
    return f"{100 * e.value:+.2f} ({100 * e.low:+.2f} … {100 * e.high:+.2f})"
