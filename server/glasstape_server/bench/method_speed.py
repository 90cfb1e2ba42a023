"""`glasstape bench methods`: what an explanation costs beside a prediction, and beside Captum.

Everything is compared within one run, in turns: absolute times of one machine mean little to another.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.values import Call
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import Explain, Forecast, Work
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import MethodName, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.models import artifact
from glasstape_server.models.manifest import Architecture
from glasstape_server.models.model import Model
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.settings import BUNDLED_MODELS

BATCHES = (1, 64, 4096)


@dataclass(frozen=True)
class Ratio:
    """One figure: what we take, what the reference takes."""

    network: str
    what: str
    ours: float  # seconds
    reference: float  # seconds

    @property
    def value(self) -> float:
        """Ours by theirs."""
        return self.ours / self.reference


def run(networks: list[str], repeats: int) -> str:
    """Measure; returns Markdown tables.

    Raises:
        ValueError: no such network.
    """
    unknown = sorted(set(networks) - set(ARCHITECTURES))
    if unknown:
        raise ValueError(f"networks: must be of {', '.join(ARCHITECTURES)}, is {', '.join(unknown)}")
    models = {name: model_of(name) for name in networks or ARCHITECTURES}
    gradients = asyncio.run(_gradients(models, repeats))
    parts = [
        "Gradient Explain (quality NONE) by Predict, same batch, through the engine:\n",
        _table(gradients, "batch {}", _slower),
    ]
    against = [ratio for name, model in models.items() for ratio in _against_captum(name, model, repeats)]
    if against:
        parts += ["\nCaptum by ours, one window, one thread:\n", _table(against, "{}", _faster)]
    else:
        parts.append("\nCaptum is not installed (it comes with glasstape[dev]): no comparison with it.")
    return "\n".join(parts)


def model_of(name: str) -> Model:
    """A compiled model of an untrained network with the bundled model's features."""
    bundled = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    config = default_config(name, *bundled.window_shape)
    torch.manual_seed(0)
    architecture = Architecture(name=name, config=config)
    manifest = bundled.manifest.model_copy(update={"architecture": architecture, "name": name})
    model = Model(manifest, build(name, config), bundled.statistics)
    model.compile()
    return model


async def _gradients(models: dict[str, Model], repeats: int) -> list[Ratio]:
    engine = Engine()
    found = []
    request = Request(MethodName.GRADIENT, ScoreSpec())
    for name, model in models.items():
        for batch in BATCHES:
            windows = _windows(batch)
            times = max(5, repeats // (1 + batch // 256))

            def once(work: Work, windows: np.ndarray = windows) -> Callable[[], Awaitable[object]]:
                return lambda: engine.run(work, windows, Lane.INTERACTIVE, Call())

            explain, predict = await _in_turns([once(Explain(model, request)), once(Forecast(model))], times)
            found.append(Ratio(name, str(batch), explain, predict))
    engine.stop()
    return found


def _against_captum(name: str, model: Model, repeats: int) -> list[Ratio]:
    try:
        from captum.attr import IntegratedGradients, Occlusion, Saliency
    except ImportError:
        return []
    torch.set_num_threads(1)
    scorer, windows = model.scorer, torch.from_numpy(_windows(1))
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
    found = []
    for what, own, theirs in pairs:
        mine, captums = asyncio.run(_in_turns([_awaited(own), _awaited(theirs)], max(5, repeats // 4)))
        found.append(Ratio(name, what, mine, captums))
    return found


def _awaited(function: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def run_it() -> object:
        return function()

    return run_it


async def _in_turns(calls: list[Callable[[], Awaitable[object]]], times: int) -> list[float]:
    """Median seconds of each call; the calls take turns, so that noise meets them alike."""
    for call in calls:
        await call()
        await call()
    measured: list[list[float]] = [[] for _ in calls]
    for _ in range(times):
        for call, seconds in zip(calls, measured, strict=True):
            begun = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - begun)
    return [statistics.median(seconds) for seconds in measured]


def _windows(batch: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(batch, 6, 8)).astype(np.float32)


def _table(ratios: list[Ratio], columns: str, cell: Callable[[Ratio], str]) -> str:
    names = list(dict.fromkeys(ratio.what for ratio in ratios))
    heads = " | ".join(columns.format(name) for name in names)
    lines = [f"| network | {heads} |", "|---|" + "---:|" * len(names)]
    for network in dict.fromkeys(ratio.network for ratio in ratios):
        cells = " | ".join(cell(ratio) for ratio in ratios if ratio.network == network)
        lines.append(f"| {network} | {cells} |")
    return "\n".join(lines)


def _slower(ratio: Ratio) -> str:
    return f"{ratio.value:.2f} ({ratio.ours * 1e3:.2f} : {ratio.reference * 1e3:.2f} ms)"


def _faster(ratio: Ratio) -> str:
    return f"{1 / ratio.value:.1f} × ({ratio.reference * 1e3:.2f} : {ratio.ours * 1e3:.2f} ms)"
