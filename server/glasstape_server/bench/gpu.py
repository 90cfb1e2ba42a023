"""`glasstape bench gpu`: check a GPU's results against the CPU, and measure its speed. Takes a few minutes.

Also runs from a source checkout with only torch, numpy and safetensors installed:
`PYTHONPATH=server python -m glasstape_server.bench.gpu`.
"""

import argparse
import logging
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.domain.values import Direction
from glasstape_server.explain.method import forward_and_gradient
from glasstape_server.explain.scores import PREDICTED_CLASS_SCORES, Score, ScoreSpec
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.models.runtime.graphed_scorer import BUCKETS, GraphedScorer
from glasstape_server.models.scorer import Scorer

WINDOW = FeatureSpec().window_shape
"""(time, feature)."""
SIZES = (1, 64, 512, 10_000)
"""Batch sizes that are measured."""
CHECKED = (1, 7, 64, 513, 10_000, 25_000)
"""Batch sizes that are checked."""
BULK = 1_000_000
"""Windows of the bulk measurement."""
TOLERANCE = 1e-4
"""Largest difference relative to the largest value: float32 sums depend on their order."""


def run(device: str, rounds: int, *, quick: bool = False) -> BenchmarkReport:
    """Check results, then measure.

    Args:
        device: cpu, cuda or cuda:N.
        rounds: of each measurement.
        quick: run few sizes, to see whether it works.

    Raises:
        ValueError: the device is not available, or a result differs from the CPU's.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: must be cpu, cuda or cuda:N, is {device}")
    if device != "cpu" and not torch.cuda.is_available():
        raise ValueError(
            f"device: {device} is not available (torch {torch.__version__} finds no CUDA device)"
        )
    buckets = BUCKETS[:2] if quick else BUCKETS
    sizes = SIZES[:1] if quick else SIZES
    checked = CHECKED[:3] if quick else CHECKED
    timed = ("conv1d",) if quick else ("conv1d", "transformer")
    checks = [_equal(name, device, buckets, checked) for name in (timed if quick else ARCHITECTURES)]
    checks.append(_out_of_memory(device))
    if device != "cpu":
        checks.append(_lost_device())
    measurements = [each for name in timed for each in _speed(name, device, buckets, sizes, rounds)]
    measurements += _bulk(device, buckets, 5000 if quick else BULK, rounds)
    return BenchmarkReport("GPU", f"{_environment(device)} " + " ".join(checks), measurements)


def scorer_of(name: str) -> Scorer:
    """Return an untrained network with a fixed normalization."""
    torch.manual_seed(0)
    network = build(name, default_config(name, *WINDOW))
    return (
        Scorer(network, torch.linspace(-0.3, 0.4, 8), torch.linspace(0.5, 1.5, 8))
        .eval()
        .requires_grad_(False)
    )


def _windows(rows: int) -> Tensor:
    return torch.randn(rows, *WINDOW, generator=torch.Generator().manual_seed(rows))


def _environment(device: str) -> str:
    if device == "cpu":
        return "On the CPU, uncaptured (not a measurement of a GPU)."
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        driver = f"unknown ({error})"
    name = torch.cuda.get_device_name(device)
    return f"{name}, driver {driver}, CUDA {torch.version.cuda}, torch {torch.__version__}, TF32 off."


def _equal(name: str, device: str, buckets: Sequence[int], sizes: Sequence[int]) -> str:
    """Check logits, scores and gradients of every kind of score, at all sizes, against the CPU's.

    Raises:
        ValueError: they differ.
    """
    scorer = scorer_of(name)
    graphed = GraphedScorer(scorer, *WINDOW, device, PREDICTED_CLASS_SCORES, buckets)
    score_specs = [*PREDICTED_CLASS_SCORES, ScoreSpec(Score.LOGIT, Direction.DOWN)]
    largest = 0.0
    for rows in sizes:
        windows = _windows(rows)
        for score_spec in score_specs:
            logits, frozen, scores, gradient = forward_and_gradient(graphed, windows, score_spec)
            logits_, frozen_, scores_, gradient_ = forward_and_gradient(scorer, windows, score_spec)
            same = frozen.target == frozen_.target  # ties may be resolved differently
            pairs = ((logits, logits_), (scores, scores_), (gradient, gradient_))
            largest = max(largest, *(_difference(one[same], other[same]) for one, other in pairs))
            if same.float().mean() < 0.999:
                raise ValueError(
                    f"{name}, {rows} windows: {int((~same).sum())} predicted classes differ from the CPU's"
                )
    if not largest <= TOLERANCE:
        raise ValueError(f"{name}: differs from the CPU by {largest:.1e}, at most {TOLERANCE:.0e} is allowed")
    return f"{name} equals the CPU within {largest:.1e}."


def _difference(actual: Tensor, expected: Tensor) -> float:
    if not len(expected):
        return 0.0
    return float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-12))


def _out_of_memory(device: str) -> str:
    """Check that a device with little memory computes in smaller batches.

    Raises:
        ValueError: its logits differ from the CPU's.
    """
    scorer, windows = scorer_of("conv1d"), _windows(5000)
    buckets = (8, 64, 4096)
    if device == "cpu":
        graphed = GraphedScorer(scorer, *WINDOW, device, (), buckets)
    else:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.empty_cache()
        used = torch.cuda.memory_reserved(device)
        torch.cuda.set_per_process_memory_fraction((used + 96 * 2**20) / total, device)
        try:
            graphed = GraphedScorer(scorer, *WINDOW, device, (), buckets)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
    if _difference(graphed(windows), scorer(windows)) > TOLERANCE:
        raise ValueError("with little memory: differs from the CPU")
    return f"With little memory: graphs of {', '.join(map(str, graphed.buckets))} rows, equal."


_FAIL_DEVICE = """
import torch
from glasstape_server.bench.gpu import WINDOW, scorer_of
from glasstape_server.models.runtime.compiled_scorer import compile_scorer
from glasstape_server.models.runtime.graphed_scorer import GraphedScorer
scorer = scorer_of("conv1d")
graphed, windows = GraphedScorer(scorer, *WINDOW, "cuda", (), (8,)), torch.zeros(3, *WINDOW)
graphed(windows)
try:
    torch.zeros(3, device="cuda")[torch.tensor([99], device="cuda")].cpu()
except torch.AcceleratorError:
    pass
try:
    graphed(windows)
    raise SystemExit("the device works after an assertion failed on it")
except torch.AcceleratorError:
    torch.testing.assert_close(compile_scorer(scorer, *WINDOW)(windows), scorer(windows))
    print("ok")
"""


def _lost_device() -> str:
    """Check in a separate process that a failed device raises AcceleratorError and the CPU still works.

    Raises:
        ValueError: it does not.
    """
    done = subprocess.run([sys.executable, "-c", _FAIL_DEVICE], capture_output=True, text=True)
    if done.stdout.strip() != "ok":
        raise ValueError(f"a lost device: {(done.stdout + done.stderr)[-800:]}")
    return "A lost device raises AcceleratorError, and the CPU takes over."


def _speed(
    name: str, device: str, buckets: Sequence[int], sizes: Sequence[int], rounds: int
) -> list[Measurement]:
    scorer = scorer_of(name)
    graphed = GraphedScorer(scorer, *WINDOW, device, PREDICTED_CLASS_SCORES, buckets)
    on_device = scorer_of(name).to(device)
    measurements = []
    for rows in sizes:
        runs = _variants(graphed, on_device, _windows(rows), device)
        times = _alternating(runs, rounds, max(5, 200_000 // (rows + 2000)))
        for variant, values in times.items():
            to = {}
            if variant == "predict and explain":
                others = [other for other in times if other not in ("predict", variant)]
                to = {other: ratios(values, times[other]) for other in others}
            microseconds = [1e6 * value for value in values]
            measurements.append(Measurement(f"{name}, {rows}: {variant}", "µs", microseconds, to))
    return measurements


def _variants(
    graphed: GraphedScorer, on_device: Scorer, windows: Tensor, device: str
) -> dict[str, Callable[[], object]]:
    score_spec = ScoreSpec()

    def eager() -> object:
        leaf = windows.to(device).requires_grad_(True)
        logits = on_device(leaf)
        slope = score_spec.freeze(logits.detach()).slope(logits)
        return torch.autograd.grad((logits * slope).sum(), leaf)[0].cpu()

    variants: dict[str, Callable[[], object]] = {
        "predict": lambda: graphed(windows),
        "predict and explain": lambda: graphed.forward_and_gradient(windows, score_spec),
        "eager": eager,
        "copies only": lambda: windows.to(device).cpu(),
    }
    captum = _captum(on_device, windows, device)
    return {**variants, "eager Captum": captum} if captum else variants


def _captum(network: Scorer, windows: Tensor, device: str) -> Callable[[], object] | None:
    try:
        from captum.attr import Saliency
    except ImportError:
        return None
    saliency = Saliency(network)

    def run_once() -> object:
        inputs = windows.to(device).requires_grad_(True)
        target = network(inputs).argmax(1)
        return saliency.attribute(inputs, target=target, abs=False).cpu()

    return run_once


def _bulk(device: str, buckets: Sequence[int], rows: int, rounds: int) -> list[Measurement]:
    graphed = GraphedScorer(scorer_of("conv1d"), *WINDOW, device, PREDICTED_CLASS_SCORES, buckets)
    windows = _windows(rows)
    sources = {"from pageable memory": windows}
    if device != "cpu":
        sources["from pinned memory"] = windows.pin_memory()
    runs: dict[str, Callable[[], object]] = {
        memory: partial(graphed.forward_and_gradient, source, ScoreSpec())
        for memory, source in sources.items()
    }
    times = _alternating(runs, rounds, 3)
    return [
        Measurement(
            f"conv1d, {rows:,} in bulk, {memory}", "windows explained/s", [rows / value for value in values]
        )
        for memory, values in times.items()
    ]


def _alternating(runs: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of one run of each, by round: the median of `repeats` runs, after a warm-up round."""
    medians: dict[str, list[float]] = {name: [] for name in runs}
    for lap in range(rounds + 1):
        for name, run_once in runs.items():
            seconds = []
            for _ in range(repeats):
                started = time.perf_counter()
                run_once()
                seconds.append(time.perf_counter() - started)
            if lap:
                medians[name].append(statistics.median(seconds))
    return medians


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.basicConfig()
    try:
        report = run(options.device, options.rounds, quick=options.quick)
    except ValueError as error:
        print(f"bench gpu: {error}", file=sys.stderr)
        return 1
    print(report.to_markdown())
    if options.json:
        report.save(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
