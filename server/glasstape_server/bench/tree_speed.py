"""`glasstape bench trees`: fits, predictions and maps of gradient-boosted trees beside those of conv1d.

On windows of noise with a weak signal. Every fit takes all its rounds. Predictions and maps run as the engine's work,
on one thread: TREE_SHAP for trees, SCALED_GRADIENT for conv1d.
"""

import statistics
import time
from dataclasses import asdict

import numpy as np
import torch

from glasstape_server.bench.method_speed import model_of
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.domain.arrays import Float32s
from glasstape_server.engine.work import ExplainWork, ForecastWork
from glasstape_server.explain.defaults import default_method, resolved
from glasstape_server.explain.method import Request
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.manifest import Architecture
from glasstape_server.models.model import Model
from glasstape_server.models.networks.architectures import BOOSTED, build, default_config
from glasstape_server.models.networks.trees import Trees
from glasstape_server.training.boosting import BoostingOptions, boost, check_installed
from glasstape_server.training.examples import TensorExamples
from glasstape_server.training.fit import FitOptions, train_epoch

BATCHES = (1, 64, 4096)
SHAPE = (6, 8)
"""(time, feature)."""
BOOST_ROUNDS = 100
VALIDATION = 10_000
"""Windows of the early stopping."""


def run(windows: int, rounds: int, threads: int, largest: int = 4096) -> BenchmarkReport:
    """Measure fits once, and predictions and maps in rounds.

    Args:
        windows: of the training data.
        rounds: of predictions and maps.
        threads: of the fits.
        largest: batch size to measure.

    Raises:
        ValueError: LightGBM is not installed.
    """
    check_installed("lightgbm")
    training, validation = _examples(windows, 0), _examples(VALIDATION, 1)
    torch.set_num_threads(threads)
    measurements: list[Measurement] = []
    fitted: dict[str, Trees] = {}
    options = BoostingOptions(rounds=BOOST_ROUNDS, patience=BOOST_ROUNDS)
    for name in BOOSTED:
        started = time.perf_counter()
        fitted[name] = boost(name, training, validation, options)
        seconds = time.perf_counter() - started
        measurements.append(Measurement(f"{name}: fit, {BOOST_ROUNDS} rounds", "s", [seconds]))
    torch.set_num_threads(1)
    measurements.append(Measurement("conv1d: one epoch, one thread", "s", [_epoch(training)]))
    models = {"conv1d": model_of("conv1d"), "lightgbm": _model_of(fitted["lightgbm"])}
    for batch in [batch for batch in BATCHES if batch <= largest]:
        measurements += _served(models, batch, rounds)
    size = fitted["lightgbm"].config.rounds
    setup = (
        f"{windows:,} windows of {SHAPE[0]} × {SHAPE[1]}; fits on {threads} threads. Predictions and maps on one "
        f"thread, {rounds} alternating rounds, of {3 * size} trees, those up to the best validation loss."
    )
    return BenchmarkReport("Trees", setup, measurements)


def _examples(count: int, seed: int) -> TensorExamples:
    random = np.random.default_rng(seed)
    windows = random.normal(size=(count, *SHAPE)).astype(np.float32)
    score = windows[:, 5, 0] * windows[:, 4, 1] + windows[:, 3, 2] + 3 * random.normal(size=count)
    return TensorExamples(torch.from_numpy(windows), torch.from_numpy(np.digitize(score, [-1.4, 1.4])))


def _epoch(training: TensorExamples) -> float:
    """Return the seconds of one epoch of conv1d."""
    options = FitOptions()
    network = build("conv1d", default_config("conv1d", *SHAPE)).train()
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    train_epoch(network, training, options.optimizer(network), order, options.batch)
    return time.perf_counter() - started


def _model_of(trees: Trees) -> Model:
    """Return a model of trees, with the features of the bundled model."""
    bundled = model_of("conv1d")
    architecture = Architecture(name="lightgbm", config=asdict(trees.config))
    manifest = bundled.manifest.model_copy(update={"architecture": architecture, "name": "lightgbm"})
    return Model(manifest, trees, bundled.statistics)


def _served(models: dict[str, Model], batch: int, rounds: int) -> list[Measurement]:
    windows = np.random.default_rng(2).normal(size=(batch, *SHAPE)).astype(np.float32)
    usual = Request(default_method(checked=False), ScoreSpec(), by_default=True)
    measurements = []
    for kind in ("predict", "map"):
        works: dict[str, ForecastWork | ExplainWork] = {
            name: ForecastWork(model) if kind == "predict" else ExplainWork(model, resolved(usual, [model]))
            for name, model in models.items()
        }
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for lap in range(rounds + 1):
            for name, work in works.items():
                value = _median_of(work, windows, max(3, 200 // batch))
                if lap:  # lap 0 is the warm-up
                    seconds[name].append(value)
        for name, values in seconds.items():
            speeds = [batch / value for value in values]
            to = {} if name == "conv1d" else {"conv1d": ratios(seconds["conv1d"], values)}
            measurements.append(Measurement(f"{name}, {batch}: {kind}", "windows/s", speeds, to))
    return measurements


def _median_of(work: ForecastWork | ExplainWork, windows: Float32s, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work.run((windows,))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
