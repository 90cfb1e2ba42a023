"""`glasstape bench engine`: one thread's predictions and gradient maps, beside the matrix products alone."""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from glasstape_server.bench.method_speed import model_of
from glasstape_server.bench.report import Figure, Report, ratios
from glasstape_server.engine.work import Explain, Forecast
from glasstape_server.explain.method import MethodName, Request, forward_and_gradient
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.networks.architectures import ARCHITECTURES

BATCHES = (1, 8, 64, 256, 4096)
BLOCK = 512


def run(networks: Sequence[str], rounds: int, largest: int = 4096) -> Report:
    """Measure.

    Raises:
        ValueError: no such network.
    """
    unknown = sorted(set(networks) - set(ARCHITECTURES))
    if unknown:
        raise ValueError(f"networks: must be of {', '.join(ARCHITECTURES)}, is {', '.join(unknown)}")
    torch.set_num_threads(1)
    batches = [batch for batch in BATCHES if batch <= largest]
    figures = [figure for name in networks for batch in batches for figure in _network(name, batch, rounds)]
    how = f"One thread, {rounds} rounds in turns; eager is the same network uncompiled, under autograd for maps."
    return Report("Engine", how, figures)


def _network(name: str, batch: int, rounds: int) -> list[Figure]:
    model = model_of(name)
    windows = np.random.default_rng(0).normal(size=(batch, 6, 8)).astype(np.float32)
    tensor, score_spec = torch.from_numpy(windows), ScoreSpec()
    forecast, explain = Forecast(model), Explain(model, Request(MethodName.GRADIENT, score_spec))

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
        runs["products alone, forwards"] = _products(batch, both=False)
        runs["products alone, both ways"] = _products(batch, both=True)
    times = _in_turns(runs, rounds, max(3, 2000 // (batch + 20)))
    figures = []
    for what, values in times.items():
        of: dict[str, Sequence[float]] = {}
        if what in ("predict", "map"):
            of["eager"] = ratios(values, times[f"{what}, eager"])
            products = f"products alone, {'forwards' if what == 'predict' else 'both ways'}"
            if products in times:
                of["products alone"] = ratios(values, times[products])
        if what == "map":
            of["predict"] = ratios(values, times["predict"])
        figures.append(Figure(f"{name}, {batch}: {what}", "µs", [1e6 * value for value in values], of))
    return figures


def _products(batch: int, *, both: bool) -> Callable[[], object]:
    """The matrix products of the conv1d network and nothing else, in the engine's blocks."""
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
            for weight in reversed(weights) if both else ():
                x = x @ weight.T

    return multiply


def _in_turns(runs: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of one run of each: the median within a round."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for lap in range(rounds + 1):
        for name, once in runs.items():
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                once()
                seconds.append(time.perf_counter() - begun)
            if lap:  # the first lap warms
                found[name].append(statistics.median(seconds))
    return found
