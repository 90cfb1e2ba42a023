"""`glasstape bench methods`: time of an explanation relative to a prediction, and to Captum.

Measurements alternate within one run; absolute times depend on the machine.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.calls import Call
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import ExplainWork, ForecastWork, Work
from glasstape_server.explain.catalog import METHODS, rows_of
from glasstape_server.explain.method import MethodName, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.models import artifact
from glasstape_server.models.manifest import Architecture
from glasstape_server.models.model import Model
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.settings import BUNDLED_MODELS

BATCHES = (1, 64, 4096)
COST_BATCH = 64
COSTS = {
    "scaled gradient": (MethodName.SCALED_GRADIENT, 0),
    "scaled path gradient, 8": (MethodName.SCALED_PATH_GRADIENT, 8),
    "smoothgrad, 16": (MethodName.SMOOTHGRAD, 16),
    "integrated gradients, 32": (MethodName.INTEGRATED_GRADIENTS, 32),
    "occlusion": (MethodName.OCCLUSION, 0),
}
"""Methods and samples that are compared with GRADIENT."""


@dataclass(frozen=True)
class TimeRatio:
    """Time of Glasstape and of a reference."""

    network: str
    column: str
    ours: float
    """Seconds."""
    reference: float
    """Seconds."""

    @property
    def value(self) -> float:
        """Time relative to the reference."""
        return self.ours / self.reference


def run(networks: list[str], repeats: int) -> str:
    """Measure networks; return Markdown tables.

    Args:
        networks: names of architectures; empty for all.
        repeats: measurements of each.

    Raises:
        ValueError: an architecture is unknown.
    """
    unknown = sorted(set(networks) - set(ARCHITECTURES))
    if unknown:
        raise ValueError(f"networks: must be of {', '.join(ARCHITECTURES)}, is {', '.join(unknown)}")
    models = {name: model_of(name) for name in networks or ARCHITECTURES}
    gradients = asyncio.run(_gradients(models, repeats))
    parts = [
        "Explain (GRADIENT, quality NONE) relative to Predict, same batch, through the engine:\n",
        _table(gradients, "batch {}", _relative),
    ]
    costs = [ratio for name, model in models.items() for ratio in _costs(name, model, repeats)]
    parts += [
        f"\nCost of a map relative to GRADIENT, batch {COST_BATCH}, one thread:\n",
        _table(costs, "{}", _relative),
    ]
    captum = [ratio for name, model in models.items() for ratio in _captum(name, model, repeats)]
    if captum:
        parts += ["\nSpeed-up over Captum, one window, one thread:\n", _table(captum, "{}", _speed_up)]
    else:
        parts.append("\nNo comparison with Captum, which is not installed: pip install captum")
    return "\n".join(parts)


def model_of(name: str) -> Model:
    """Return a compiled model of an untrained network with the features of the bundled model."""
    bundled = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    config = default_config(name, *bundled.window_shape)
    torch.manual_seed(0)
    architecture = Architecture(name=name, config=config)
    manifest = bundled.manifest.model_copy(update={"architecture": architecture, "name": name})
    model = Model(manifest, build(name, config), bundled.statistics)
    model.compile()
    return model


async def _gradients(models: dict[str, Model], repeats: int) -> list[TimeRatio]:
    engine = Engine()
    ratios = []
    request = Request(MethodName.GRADIENT, ScoreSpec())
    for name, model in models.items():
        for batch in BATCHES:
            windows = _windows(model, batch)
            times = max(5, repeats // (1 + batch // 256))

            def run_once(work: Work, windows: np.ndarray = windows) -> Callable[[], Awaitable[object]]:
                return lambda: engine.run(work, windows, Lane.INTERACTIVE, Call())

            explain, predict = await _alternating(
                [run_once(ExplainWork(model, request)), run_once(ForecastWork(model))], times
            )
            ratios.append(TimeRatio(name, str(batch), explain, predict))
    engine.stop()
    return ratios


def _costs(name: str, model: Model, repeats: int) -> list[TimeRatio]:
    """Return the time of each method that needs more than it, relative to GRADIENT."""
    torch.set_num_threads(1)
    windows = torch.from_numpy(_windows(model, COST_BATCH))

    def run_once(method: MethodName, samples: int) -> Callable[[], Awaitable[object]]:
        request = Request(method, ScoreSpec(), samples=samples)
        rows = rows_of(model, windows, None, request)
        return _awaitable(lambda: METHODS[method].attribute(model.network, rows, request))

    calls = [run_once(MethodName.GRADIENT, 0), *(run_once(*cost) for cost in COSTS.values())]
    gradient, *others = asyncio.run(_alternating(calls, max(5, repeats // 4)))
    return [TimeRatio(name, column, seconds, gradient) for column, seconds in zip(COSTS, others, strict=True)]


def _captum(name: str, model: Model, repeats: int) -> list[TimeRatio]:
    try:
        from captum.attr import IntegratedGradients, Occlusion, Saliency
    except ImportError:
        return []
    torch.set_num_threads(1)
    scorer, windows = model.scorer, torch.from_numpy(_windows(model, 1))
    rows = Rows(windows, torch.zeros_like(windows), model.statistics.deviation)
    target = int(scorer(windows).argmax(1))
    occlusion = {"sliding_window_shapes": (1, 1), "baselines": 0.0, "target": target}

    def ours(method: MethodName, samples: int = 0) -> Callable[[], object]:
        request = Request(method, ScoreSpec(Score.LOGIT), samples=samples)
        return lambda: METHODS[method].attribute(model.network, rows, request)

    cells = windows[0].numel()
    pairs: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        (
            "gradient",
            ours(MethodName.GRADIENT),
            lambda: Saliency(scorer).attribute(windows.clone().requires_grad_(), target=target, abs=False),
        ),
        (
            "integrated gradients, 16",
            ours(MethodName.INTEGRATED_GRADIENTS, 16),
            lambda: IntegratedGradients(scorer).attribute(windows, target=target, n_steps=16),
        ),
        (
            "occlusion, default",
            ours(MethodName.OCCLUSION),
            lambda: Occlusion(scorer).attribute(windows, **occlusion),
        ),
        (
            "occlusion, batched",
            ours(MethodName.OCCLUSION),
            lambda: Occlusion(scorer).attribute(windows, perturbations_per_eval=cells, **occlusion),
        ),
    ]
    ratios = []
    for column, own, reference in pairs:
        calls = [_awaitable(own), _awaitable(reference)]
        seconds = asyncio.run(_alternating(calls, max(5, repeats // 4)))
        ratios.append(TimeRatio(name, column, *seconds))
    return ratios


def _awaitable(function: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def call() -> object:
        return function()

    return call


async def _alternating(calls: list[Callable[[], Awaitable[object]]], times: int) -> list[float]:
    """Return the median seconds of each call. Calls alternate, so that noise affects all of them."""
    for call in calls:
        await call()
        await call()
    measured: list[list[float]] = [[] for _ in calls]
    for _ in range(times):
        for call, seconds in zip(calls, measured, strict=True):
            started = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in measured]


def _windows(model: Model, batch: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(batch, *model.window_shape)).astype(np.float32)


def _table(ratios: list[TimeRatio], columns: str, cell: Callable[[TimeRatio], str]) -> str:
    names = list(dict.fromkeys(ratio.column for ratio in ratios))
    heads = " | ".join(columns.format(name) for name in names)
    lines = [f"| network | {heads} |", "|---|" + "---:|" * len(names)]
    for network in dict.fromkeys(ratio.network for ratio in ratios):
        cells = " | ".join(cell(ratio) for ratio in ratios if ratio.network == network)
        lines.append(f"| {network} | {cells} |")
    return "\n".join(lines)


def _relative(ratio: TimeRatio) -> str:
    return f"{ratio.value:.2f} ({ratio.ours * 1e3:.2f} : {ratio.reference * 1e3:.2f} ms)"


def _speed_up(ratio: TimeRatio) -> str:
    return f"{1 / ratio.value:.1f} × ({ratio.reference * 1e3:.2f} : {ratio.ours * 1e3:.2f} ms)"
