"""`glasstape bench skill`: value of the skill check on noise, by the windows that it reads.

Markets without a signal are generated, and a network is trained on each as by `glasstape train`. The check is then made
on the windows that selected epoch and temperature, and on the windows that selected nothing.
"""

from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.synthetic import FIRST_CLOSE, INTERVAL, RULE, market, no_signal
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import calibrate
from glasstape_server.training.checks import SKILL, skill
from glasstape_server.training.fit import FitOptions, logits_of
from glasstape_server.training.train import TrainingPlan, train
from glasstape_server.training.training_split import CHECK_RULE, TrainingSettings, TrainingSplit

TRAINING = 0.5
"""Share of the bars with windows that are for training; the rest is the validation period."""


@dataclass(frozen=True, slots=True)
class SkillOnNoise:
    """Values of the check on one market without a signal, standard errors."""

    selecting: float
    """Of the validation windows, which selected epoch and temperature."""
    fresh: float
    """Of the windows of the check, which selected nothing."""


def run(architecture: str, runs: int, symbols: int, bars: int, epochs: int) -> list[SkillOnNoise]:
    """Train on `runs` markets, with seeds from 0.

    Args:
        architecture: name of the network.
        runs: number of markets, 2 or more.
        symbols: per market.
        bars: per symbol.
        epochs: largest number of epochs.

    Raises:
        ValueError: too few runs or bars.
    """
    if runs < 2:
        raise ValueError(f"--runs: must be 2 or more, is {runs}")
    torch.set_num_threads(1)
    return [_run(architecture, symbols, bars, epochs, seed) for seed in range(runs)]


def _run(architecture: str, symbols: int, bars: int, epochs: int, seed: int) -> SkillOnNoise:
    spec = FeatureSpec()
    until = FIRST_CLOSE + int(spec.min_bars + (bars - spec.min_bars) * TRAINING) * DAY
    end = FIRST_CLOSE + bars * DAY
    settings = TrainingSettings(interval=INTERVAL, train_until=until, validate_until=end, rule=RULE)
    data = TrainingSplit(market(no_signal, symbols, bars, seed), settings)
    if data.check is None:
        raise ValueError(f"--bars: too few, is {bars}; {CHECK_RULE}")
    fit = FitOptions(seed=seed, epochs=epochs)
    network = train(data, TrainingPlan(name="noise", version="1", architecture=architecture, fit=fit)).network
    logits, fresh = logits_of(network, data.examples[1]), logits_of(network, data.check.examples)
    temperature = calibrate.fit_temperature(logits, data.labels[1])
    shares = np.bincount(data.labels[0], minlength=3) / len(data.labels[0])
    validation, check = data.validation.close_time, data.check.data.close_time
    return SkillOnNoise(
        skill(softmax(logits, temperature), data.labels[1], validation, shares).value,
        skill(softmax(fresh, temperature), data.check.labels, check, shares).value,
    )


def to_text(results: list[SkillOnNoise], architecture: str) -> str:
    """Return a table in Markdown."""
    rows = []
    for name, values in (
        ("selected epoch and temperature", [result.selecting for result in results]),
        ("selected nothing", [result.fresh for result in results]),
    ):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        passed = sum(value >= SKILL for value in values)
        rows.append(f"| {name} | {np.mean(values):+.2f} | {error:.2f} | {passed} of {len(values)} |")
    return "\n".join(
        [
            f"Network {architecture}, {len(results)} markets without a signal. Skill in standard errors.",
            "",
            "| windows of the check | mean skill | its standard error | passed |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )
