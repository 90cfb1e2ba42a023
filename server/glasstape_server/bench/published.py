"""`glasstape bench published`: two daily classes on the data splits of published papers.

StockNet (Xu and Cohen 2018, "ACL18") and KDD17 (Zhang, Aggarwal and Qi 2017), as set up by Feng et al. (2019),
"Enhancing stock movement prediction with adversarial training": windows of five days, the next day's adjusted
return, UP from +0.55 %, DOWN from -0.5 %, and windows between are excluded. This selection looks ahead, so that live
accuracy is lower. Results of papers are printed as published.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from glasstape.barfile.options import BarFileOptions, close_of

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction, Entry
from glasstape_server.domain.statistics import IntervalEstimate, block_sums, interval
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.baselines import CLASSIFIERS, ClassifierBaseline
from glasstape_server.evaluation.metric_functions import mcc
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.files import BarFiles, day_start
from glasstape_server.models.networks.architectures import build, default_config
from glasstape_server.training import dataset
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import DatasetExamples, Normalization
from glasstape_server.training.fit import FitOptions, fit, logits_of

INTERVAL, ZONE = "1d", "America/New_York"
UP_FROM, DOWN_FROM = 0.0055, -0.005
"""Thresholds of the next day's relative return."""
BLOCK = 5
"""Days per bootstrap block; the test parts have 63 and 252 days."""
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class PublishedSplit:
    """Data split with published results."""

    train_from: str
    train_until: str
    validate_until: str
    test_until: str
    reported: dict[str, tuple[float, float]]
    """Model -> accuracy in percent, Matthews correlation."""


SETS = {
    "acl18": PublishedSplit(
        "2014-01-01", "2015-08-01", "2015-10-01", "2016-01-01",
        {"LSTM": (53.18, 0.0674), "ALSTM": (54.90, 0.1043), "Adv-ALSTM": (57.20, 0.1483),
         "Adv-ALSTM, replicated": (56.45, 0.1310)},
    ),
    "kdd17": PublishedSplit(
        "2007-01-01", "2015-01-01", "2016-01-01", "2017-01-01",
        {"LSTM": (51.62, 0.0183), "ALSTM": (51.94, 0.0261), "Adv-ALSTM": (53.05, 0.0523),
         "Adv-ALSTM, replicated": (52.01, 0.0245)},
    ),
}  # fmt: skip
"""Splits by name; results as reported by Feng et al., and by a public replication."""


@dataclass(frozen=True, slots=True)
class LabeledWindows:
    """Windows of one part, with a return beyond the thresholds."""

    data: Dataset
    labels: Ints
    """Class indices of DOWN or UP, (n,)."""


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """Result of one candidate on the test windows."""

    name: str
    accuracy: IntervalEstimate
    correlation: IntervalEstimate
    gain_over_up: IntervalEstimate
    """Accuracy minus that of always predicting UP."""


def run(
    name: str, path: Path, architectures: list[str], seeds: int, epochs: int
) -> tuple[list[CandidateScore], int]:
    """Train and test; return the results and the number of test windows.

    Args:
        name: of the split.
        path: CSV or Parquet file of its bars.
        architectures: names of networks.
        seeds: per network.
        epochs: largest number of epochs.

    Raises:
        ValueError: the split is unknown, or the file does not contain its bars.
    """
    if name not in SETS:
        raise ValueError(f"set: must be one of {', '.join(SETS)}, is {name!r}")
    training, validation, test = _parts(path, SETS[name])
    shares = np.bincount(training.labels, minlength=3) / len(training.labels)
    predicted: dict[str, Ints] = {
        "always up": np.full(len(test.labels), int(Direction.UP)),
        "most frequent": np.full(len(test.labels), int(shares.argmax())),
    }
    for baseline in CLASSIFIERS:
        model = ClassifierBaseline(baseline, 0)
        model.fit(training.data, training.labels // 2)  # two classes: 0 and 1
        predicted[baseline.replace("_", " ")] = 2 * model.logits(test.data).argmax(axis=1)
    for architecture in architectures:
        by_seed = [_logits(architecture, training, validation, test, seed, epochs) for seed in range(seeds)]
        for seed, logits in enumerate(by_seed):
            predicted[f"{architecture}, seed {seed}"] = _winner(logits)
        if seeds > 1:
            predicted[f"{architecture}, ensemble of {seeds}"] = _winner(np.mean(by_seed, axis=0))
    return [_score(candidate, winner, test) for candidate, winner in predicted.items()], len(test.labels)


def _parts(path: Path, published: PublishedSplit) -> tuple[LabeledWindows, LabeledWindows, LabeledWindows]:
    files = BarFiles([path], INTERVAL, BarFileOptions(time_zone=ZONE, close=close_of("24:00")))
    rule = LabelRule(entry=Entry.CURRENT_CLOSE)
    data = dataset.build(files.read(), INTERVAL, FeatureSpec(window_bars=5), rule, ZONE)
    closes = np.unique(data.close_time)
    # The predicted day determines the part of a window.
    target = np.append(closes, closes[-1] + DAY)[np.searchsorted(closes, data.close_time) + 1]
    returns = np.expm1(data.log_close[data.last + 1] - data.log_close[data.last])
    beyond = (returns >= UP_FROM) | (returns <= DOWN_FROM)
    labels = np.where(returns >= UP_FROM, int(Direction.UP), int(Direction.DOWN))
    days = [
        day_start(day, ZONE)
        for day in (
            published.train_from,
            published.train_until,
            published.validate_until,
            published.test_until,
        )
    ]
    parts = []
    for first, last in itertools.pairwise(days):
        rows = np.flatnonzero(beyond & (target >= first) & (target < last))
        if len(rows) < 100:
            raise ValueError(
                f"{path}: {len(rows)} windows from {first} to {last}, at least 100 are required; is it the right file?"
            )
        parts.append(LabeledWindows(data.select(rows), labels[rows]))
    return parts[0], parts[1], parts[2]


def _logits(
    architecture: str,
    training: LabeledWindows,
    validation: LabeledWindows,
    test: LabeledWindows,
    seed: int,
    epochs: int,
) -> Floats:
    normalization = Normalization.of(training.data)
    batches = [
        DatasetExamples(part.data, part.labels, normalization) for part in (training, validation, test)
    ]
    make = partial(build, architecture, default_config(architecture, *training.data.window_shape))
    options = FitOptions(seed=seed, epochs=epochs, patience=4)
    return logits_of(fit(make, batches[0], batches[1], options), batches[2])


def _winner(logits: Floats) -> Ints:
    """Return DOWN or UP, (n,), of logits (n, 3); FLAT does not occur in training."""
    return np.where(logits[:, 2] > logits[:, 0], int(Direction.UP), int(Direction.DOWN))


def _score(name: str, winner: Ints, test: LabeledWindows) -> CandidateScore:
    _, day = np.unique(test.data.close_time // DAY, return_inverse=True)
    days = int(day.max()) + 1
    cells = np.bincount(day * 9 + test.labels * 3 + winner, minlength=9 * days).reshape(days, 9)
    ups = np.bincount(day, test.labels == Direction.UP, days)
    sums = np.column_stack([cells, ups]).astype(np.float64)
    drawn, total = block_sums(sums, BLOCK, DRAWS, seed=0), sums.sum(axis=0, keepdims=True)

    def hits(s: Floats) -> Floats:
        return np.asarray((s[:, 0] + s[:, 4] + s[:, 8]) / s[:, :9].sum(axis=1))

    def gain(s: Floats) -> Floats:
        return np.asarray(hits(s) - s[:, 9] / s[:, :9].sum(axis=1))

    def estimate(metric: Callable[[Floats], Floats]) -> IntervalEstimate:
        return IntervalEstimate(float(metric(total)[0]), *interval(metric(drawn)))

    return CandidateScore(name, estimate(hits), estimate(mcc), estimate(gain))


def to_text(name: str, scores: list[CandidateScore], windows: int) -> str:
    """Return a table in Markdown, followed by the published results."""
    lines = [
        f"{name}: {windows:,} test windows; confidence intervals: 95 %, block bootstrap over {BLOCK} days.",
        "",
        "| candidate | accuracy | MCC | gain over always up (points) |",
        "|---|---:|---:|---:|",
    ]
    for s in scores:
        accuracy, gain = (
            f"{100 * e.value:{sign}.2f} ({100 * e.low:{sign}.2f} … {100 * e.high:{sign}.2f})"
            for e, sign in ((s.accuracy, ""), (s.gain_over_up, "+"))
        )
        correlation = f"{s.correlation.value:.4f} ({s.correlation.low:.3f} … {s.correlation.high:.3f})"
        lines.append(f"| {s.name} | {accuracy} | {correlation} | {gain} |")
    up = 100 * next(s.accuracy.value for s in scores if s.name == "always up")
    for model, (accuracy_reported, mcc_reported) in SETS[name].reported.items():
        row = f"| {model} (published) | {accuracy_reported:.2f} | {mcc_reported:.4f} | {accuracy_reported - up:+.2f} |"
        lines.append(row)
    return "\n".join(lines)
