"""`glasstape bench engine`: predictions and gradient maps on one thread, relative to their matrix products."""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from glasstape_server.bench.method_speed import model_of
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.engine.process import tune_process
from glasstape_server.engine.work import ExplainWork, ForecastWork
from glasstape_server.explain.method import MethodName, Request, forward_and_gradient
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.networks.architectures import ARCHITECTURES

BATCHES = (1, 8, 64, 256, 4096)
BLOCK = 512


def run(networks: Sequence[str], rounds: int, largest: int = 4096) -> BenchmarkReport:
    """Measure networks at several batch sizes.

    Args:
        networks: names of architectures.
        rounds: of each measurement.
        largest: batch size to measure.

    Raises:
        ValueError: an architecture is unknown.
    """
    unknown = sorted(set(networks) - set(ARCHITECTURES))
    if unknown:
        raise ValueError(f"networks: must be of {', '.join(ARCHITECTURES)}, is {', '.join(unknown)}")
    torch.set_num_threads(1)
    tune_process(1)
    batches = [batch for batch in BATCHES if batch <= largest]
    measurements = [each for name in networks for batch in batches for each in _network(name, batch, rounds)]
    setup = f"One thread, {rounds} alternating rounds; eager is the same network uncompiled, with autograd for maps."
    return BenchmarkReport("Engine", setup, measurements)


def _network(name: str, batch: int, rounds: int) -> list[Measurement]:
    model = model_of(name)
    windows = np.random.default_rng(0).normal(size=(batch, *model.window_shape)).astype(np.float32)
    tensor, score_spec = torch.from_numpy(windows), ScoreSpec()
    forecast, explain = ForecastWork(model), ExplainWork(model, Request(MethodName.GRADIENT, score_spec))

    @torch.no_grad()
    def eager() -> object:
        return model.scorer(tensor)

    runs: dict[str, Callable[[], object]] = {
        "predict": lambda: forecast.run((windows,)),
        "predict, eager": eager,
        "map": lambda: explain.run((windows,)),
        "map, eager": lambda: forward_and_gradient(model.scorer, tensor, score_spec),
    }
    if name == "conv1d":
        runs["matrix products, forward"] = _products(batch, backward=False)
        runs["matrix products, forward and backward"] = _products(batch, backward=True)
    times = _alternating(runs, rounds, max(3, 2000 // (batch + 20)))
    measurements = []
    for kind, values in times.items():
        to: dict[str, Sequence[float]] = {}
        if kind in ("predict", "map"):
            to["eager"] = ratios(values, times[f"{kind}, eager"])
            products = f"matrix products, {'forward' if kind == 'predict' else 'forward and backward'}"
            if products in times:
                to["matrix products"] = ratios(values, times[products])
        if kind == "map":
            to["predict"] = ratios(values, times["predict"])
        microseconds = [1e6 * value for value in values]
        measurements.append(Measurement(f"{name}, {batch}: {kind}", "µs", microseconds, to))
    return measurements


def _products(batch: int, *, backward: bool) -> Callable[[], object]:
    """Return the matrix products of the conv1d network, in the engine's blocks."""
    sizes = (48, 192, 384, 3)
    weights = [torch.randn(a, b) for a, b in pairwise(sizes)]
    inputs = torch.randn(min(batch, BLOCK), sizes[0])
    blocks = max(1, batch // BLOCK)

    @torch.no_grad()
    def multiply() -> None:
        for _ in range(blocks):
            x = inputs
            for weight in weights:
                x = x @ weight
            for weight in reversed(weights) if backward else ():
                x = x @ weight.T

    return multiply


def _alternating(runs: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of one run of each, by round: the median of `repeats` runs."""
    medians: dict[str, list[float]] = {name: [] for name in runs}
    for lap in range(rounds + 1):
        for name, run_once in runs.items():
            seconds = []
            for _ in range(repeats):
                started = time.perf_counter()
                run_once()
                seconds.append(time.perf_counter() - started)
            if lap:  # lap 0 is the warm-up
                medians[name].append(statistics.median(seconds))
    return medians
