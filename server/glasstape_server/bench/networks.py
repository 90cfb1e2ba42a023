"""`glasstape bench networks`: how well does each network predict, walking forward through a file?

Every network sees the same folds, the same windows and the same seeds, and is compared with the 1D-CNN
window by window: the original found that a 2D-CNN loses accuracy, and this says whether it does here.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import polars as pl
import torch

from glasstape_server.domain import Floats, Ints
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.architectures import ARCHITECTURES, build, default_config
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.fit import FitOptions, fit, logits_of
from glasstape_server.training.walk_forward import Fold, folds, mean_with_interval

REFERENCE = "conv1d"


@dataclass(frozen=True)
class Job:
    """One network on one fold with one seed."""

    network: str
    fold: int
    seed: int
    data: Fold
    rule: LabelRule
    epochs: int
    windows: int
    """Training windows at most, drawn with the seed."""


@dataclass(frozen=True)
class Tested:
    """What one trained network said of its fold's test windows."""

    network: str
    fold: int
    seed: int
    correct: Floats  # (n,) 1 or 0
    gained: Floats  # (n,) log probability beyond the class shares of what was learnt from, in nats
    time: Ints  # (n,)
    base_rate: float
    """Accuracy of always saying the most frequent class of the training windows."""


def run(
    frame: pl.DataFrame,
    interval: str,
    time_zone: str,
    networks: list[str],
    *,
    count: int,
    seeds: int,
    epochs: int,
    windows: int,
    processes: int,
) -> str:
    """Train and test; returns a Markdown table.

    Raises:
        ValueError: no such network, or too little data.
    """
    unknown = sorted(set(networks) - set(ARCHITECTURES))
    if unknown:
        raise ValueError(f"networks: must be of {', '.join(ARCHITECTURES)}, is {', '.join(unknown)}")
    spec, rule = FeatureSpec(), LabelRule()
    everything = dataset.build(frame, interval, spec, rule, time_zone)
    jobs = [
        Job(network, number, seed, fold, dataset.fit_threshold(fold.training, rule), epochs, windows)
        for number, fold in enumerate(folds(everything, count, rule.bars_ahead))
        for seed in range(seeds)
        for network in networks or ARCHITECTURES
    ]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        tested = list(pool.map(_run, jobs))
    return _report(tested, len(everything), count, seeds)


def _run(job: Job) -> Tested:
    torch.set_num_threads(1)
    training = _some(job.data.training, job.windows, job.seed)
    flat = training.windows.reshape(-1, training.windows.shape[2]).astype(np.float64)
    mean, deviation = (
        torch.tensor(part, dtype=torch.float32) for part in (flat.mean(0), flat.std(0).clip(1e-6))
    )
    parts = (training, job.data.validation, job.data.test)
    inputs = [(torch.from_numpy(part.windows) - mean) / deviation for part in parts]
    labels = [part.labels(job.rule) for part in parts]
    config = default_config(job.network, *training.windows.shape[1:])
    network = fit(
        partial(build, job.network, config),
        (inputs[0], torch.from_numpy(labels[0])),
        (inputs[1], torch.from_numpy(labels[1])),
        FitOptions(seed=job.seed, epochs=job.epochs, patience=3),
    )
    temperature = calibrate.fit_temperature(logits_of(network, inputs[1]), labels[1])
    stated = calibrate.probabilities(logits_of(network, inputs[2]), temperature)
    shares = np.bincount(labels[0], minlength=3) / len(labels[0])
    return Tested(
        job.network,
        job.fold,
        job.seed,
        (stated.argmax(axis=1) == labels[2]).astype(np.float64),
        -np.log(shares[labels[2]]) - calibrate.log_loss_of_each(stated, labels[2]),
        parts[2].close_time,
        float((labels[2] == shares.argmax()).mean()),
    )


def _some(part: Dataset, count: int, seed: int) -> Dataset:
    if len(part) <= count:
        return part
    rows = np.sort(np.random.default_rng(seed).choice(len(part), count, replace=False))
    return replace(
        part,
        windows=part.windows[rows],
        returns=part.returns[rows],
        sigma=part.sigma[rows],
        close_time=part.close_time[rows],
    )


def _report(tested: list[Tested], windows: int, count: int, seeds: int) -> str:
    tests = sum(len(t.correct) for t in tested if t.network == tested[0].network and t.seed == 0)
    lines = [
        f"{windows} windows, {count} folds walking forward, {tests} test windows, {seeds} seed(s); intervals: 95 %, "
        "bootstrap of 20-close blocks.",
        "",
        f"| network | accuracy | base rate | accuracy − {REFERENCE} (points) | log loss gained (nats) |",
        "|---|---:|---:|---:|---:|",
    ]
    reference = [t for t in tested if t.network == REFERENCE]
    for name in dict.fromkeys(t.network for t in tested):
        own = [t for t in tested if t.network == name]
        time = np.concatenate([t.time for t in own])
        random = np.random.default_rng(0)
        accuracy = mean_with_interval(np.concatenate([t.correct for t in own]), time, random)
        gained = mean_with_interval(np.concatenate([t.gained for t in own]), time, random)
        base = np.average([t.base_rate for t in own], weights=[len(t.correct) for t in own])
        difference = "–"
        if reference and name != REFERENCE:
            pairs = zip(own, reference, strict=True)
            values = np.concatenate([mine.correct - theirs.correct for mine, theirs in pairs])
            middle, low, high = (100 * v for v in mean_with_interval(values, time, random))
            difference = f"{middle:+.2f} ({low:+.2f} … {high:+.2f})"
        lines.append(
            f"| {name} | {accuracy[0]:.2%} ({accuracy[1]:.2%} … {accuracy[2]:.2%}) | {base:.2%} | {difference} | "
            f"{gained[0]:+.4f} ({gained[1]:+.4f} … {gained[2]:+.4f}) |"
        )
    return "\n".join(lines)
