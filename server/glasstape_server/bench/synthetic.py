"""`glasstape bench synthetic`: does the pipeline find a signal that is there, and none where there is none?

A market is made up bar by bar with a known signal, everything that `glasstape train` does is done to it, and the
trained network is held against the accuracy that nobody can beat.
"""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.values import DAY, Floats
from glasstape_server.evaluation.metrics import IntervalEstimate, LabeledPredictions, MetricEstimates
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

LEARNT = 0.5
VALIDATED = 0.6
"""Parts of the bars that have windows behind which training and validation end."""


@dataclass(frozen=True, slots=True)
class Found:
    """One market."""

    signal: str
    trained: int
    tested: int
    bayes: float
    """Accuracy of the true probabilities on the very same test windows."""
    short: IntervalEstimate
    """Accuracy that the network lacks to that."""
    gained: IntervalEstimate
    """Log loss saved against the class prior."""
    accuracy: IntervalEstimate
    beyond: IntervalEstimate
    """Accuracy beyond the base rate."""
    ece: IntervalEstimate


def run(architecture: str, symbols: int, bars: int, epochs: int, seed: int) -> list[Found]:
    """Make both markets, train and test on each.

    Raises:
        ValueError: too few bars.
    """
    least = FeatureSpec().min_bars + 250
    if bars < least:
        raise ValueError(f"--bars: must be {least} or more, so that enough days can be tested, is {bars}")
    signals: dict[str, Signal] = {"known": known_signal, "none": no_signal}
    return [_run(name, g, architecture, symbols, bars, epochs, seed) for name, g in signals.items()]


def _run(
    name: str, signal: Signal, architecture: str, symbols: int, bars: int, epochs: int, seed: int
) -> Found:
    frame, spec = market(signal, symbols, bars, seed), FeatureSpec()
    usable = bars - spec.min_bars
    until, end = (FIRST_CLOSE + int(spec.min_bars + usable * part) * DAY for part in (LEARNT, VALIDATED))
    data = TrainingSplit(
        frame, TrainingSettings(interval=INTERVAL, train_until=until, validate_until=end, rule=RULE)
    )
    fit = FitOptions(seed=seed, epochs=epochs, patience=4, batch=512)
    trained = train(data, TrainingPlan(name="synthetic", version="1", architecture=architecture, fit=fit))
    everything = dataset.build(frame, INTERVAL, spec, RULE)
    test = everything.between(end, FIRST_CLOSE + bars * DAY)
    labels = test.labels(data.rule)
    validation_logits = logits_of(trained.network, data.examples[1])
    temperature = calibrate.fit_temperature(validation_logits, data.labels[1])
    logits = logits_of(trained.network, DatasetExamples(test, labels, data.normalization))
    shares = np.bincount(data.labels[0], minlength=3) / len(data.labels[0])

    def figures(stated: Floats) -> MetricEstimates:
        return MetricEstimates(
            LabeledPredictions(stated, labels, test.close_time, np.tile(shares, (len(test), 1)))
        )

    ours = figures(calibrate.probabilities(logits, temperature))
    truth = figures(probabilities(signal, test.windows(), data.rule.k))
    return Found(
        name,
        len(data.training),
        len(test),
        truth.estimates["accuracy"].value,
        truth.difference(ours, "accuracy"),
        ours.estimates["log_loss_gain"],
        ours.estimates["accuracy"],
        ours.estimates["accuracy_gain"],
        ours.estimates["ece"],
    )


def to_text(found: list[Found], architecture: str) -> str:
    """A table in Markdown."""
    head = ["signal", "trained on", "tested on", "Bayes accuracy", "accuracy", "short of Bayes (points)"]
    head += ["beyond the base rate (points)", "log loss saved (nats)", "ECE"]
    rows = [
        [
            f.signal, f"{f.trained:,}", f"{f.tested:,}", f"{f.bayes:.2%}", f"{f.accuracy.value:.2%}", _points(f.short),
            _points(f.beyond), str(f.gained), f"{f.ece.value:.4f}",
        ]
        for f in found
    ]  # fmt: skip
    return "\n".join(
        [
            f"Network {architecture}; intervals: 95 %, bootstrap of blocks of ten days.",
            "",
            *("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)),
        ]
    )


def _points(e: IntervalEstimate) -> str:
    return f"{100 * e.value:+.2f} ({100 * e.low:+.2f} … {100 * e.high:+.2f})"
