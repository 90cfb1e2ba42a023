"""`glasstape bench gpu`: is a GPU's every answer the CPU's, and how fast is it? One call, a few minutes.

Runs from a plain source checkout, too, where only torch, numpy and safetensors are installed:
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

from glasstape_server.bench.report import Figure, Report, ratios
from glasstape_server.domain.values import Direction
from glasstape_server.explain.method import forward_and_gradient
from glasstape_server.explain.scores import PREDICTED_CLASS_SCORES, Score, ScoreSpec
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.models.runtime.graphed_scorer import BUCKETS, GraphedScorer
from glasstape_server.models.scorer import Scorer

WINDOW = (6, 8)
SIZES = (1, 64, 512, 10_000)
CHECKED = (1, 7, 64, 513, 10_000, 25_000)
BULK = 1_000_000
TOLERANCE = 1e-4
"""Of a logit or a gradient, by the largest of its kind: float32 summed in another order."""


def run(device: str, rounds: int, *, quick: bool = False) -> Report:
    """Check everything, then measure.

    Raises:
        ValueError: there is no such device, or an answer differs from the CPU's.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: must be cpu, cuda or cuda:N, is {device}")
    if device != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device: {device} is not here (torch {torch.__version__} finds no CUDA device)")
    buckets = BUCKETS[:2] if quick else BUCKETS
    sizes = SIZES[:1] if quick else SIZES
    checked = CHECKED[:3] if quick else CHECKED
    timed = ("conv1d",) if quick else ("conv1d", "transformer")
    checks = [_equal(name, device, buckets, checked) for name in (timed if quick else ARCHITECTURES)]
    checks.append(_out_of_memory(device))
    if device != "cpu":
        checks.append(_lost_device())
    figures = [figure for name in timed for figure in _speed(name, device, buckets, sizes, rounds)]
    figures += _bulk(device, buckets, 5000 if quick else BULK, rounds)
    return Report("GPU", f"{_where(device)} " + " ".join(checks), figures)


def scorer_of(name: str) -> Scorer:
    """An untrained network with a made-up normalization."""
    torch.manual_seed(0)
    network = build(name, default_config(name, *WINDOW))
    return (
        Scorer(network, torch.linspace(-0.3, 0.4, 8), torch.linspace(0.5, 1.5, 8))
        .eval()
        .requires_grad_(False)
    )


def _windows(rows: int) -> Tensor:
    return torch.randn(rows, *WINDOW, generator=torch.Generator().manual_seed(rows))


def _where(device: str) -> str:
    if device == "cpu":
        return "On the CPU, uncaptured (nothing here says how fast a GPU is)."
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        driver = f"unknown ({error})"
    name = torch.cuda.get_device_name(device)
    return f"{name}, driver {driver}, CUDA {torch.version.cuda}, torch {torch.__version__}, TF32 off."


def _equal(name: str, device: str, buckets: Sequence[int], sizes: Sequence[int]) -> str:
    """Logits, scores and gradients of every kind of score_spec, of all sizes, held against the CPU's."""
    scorer = scorer_of(name)
    ours = GraphedScorer(scorer, *WINDOW, device, PREDICTED_CLASS_SCORES, buckets)
    score_specs = [*PREDICTED_CLASS_SCORES, ScoreSpec(Score.LOGIT, Direction.DOWN)]
    worst = 0.0
    for rows in sizes:
        windows = _windows(rows)
        for score_spec in score_specs:
            logits, frozen, scores, gradient = forward_and_gradient(ours, windows, score_spec)
            logits_, frozen_, scores_, gradient_ = forward_and_gradient(scorer, windows, score_spec)
            same = frozen.target == frozen_.target  # equal logits may be told apart differently
            pairs = ((logits, logits_), (scores, scores_), (gradient, gradient_))
            worst = max(worst, *(_difference(one[same], other[same]) for one, other in pairs))
            if same.float().mean() < 0.999:
                raise ValueError(
                    f"{name}, {rows} windows: {int((~same).sum())} winners differ from the CPU's"
                )
    if not worst <= TOLERANCE:
        raise ValueError(f"{name}: differs from the CPU by {worst:.1e}, at most {TOLERANCE:.0e} allowed")
    return f"{name} equals the CPU within {worst:.1e}."


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12)) if len(theirs) else 0.0


def _out_of_memory(device: str) -> str:
    """A device with hardly any memory left still answers, in smaller pieces."""
    scorer, windows = scorer_of("conv1d"), _windows(5000)
    buckets = (8, 64, 4096)
    if device == "cpu":
        ours = GraphedScorer(scorer, *WINDOW, device, (), buckets)
    else:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.empty_cache()
        used = torch.cuda.memory_reserved(device)
        torch.cuda.set_per_process_memory_fraction((used + 96 * 2**20) / total, device)
        try:
            ours = GraphedScorer(scorer, *WINDOW, device, (), buckets)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
    if _difference(ours(windows), scorer(windows)) > TOLERANCE:
        raise ValueError("with little memory: differs from the CPU")
    return f"With little memory: graphs of {', '.join(map(str, ours.buckets))} rows, equal."


_BREAK = """
import torch
from glasstape_server.bench.gpu import WINDOW, scorer_of
from glasstape_server.models.runtime.compiled_scorer import compile_scorer
from glasstape_server.models.runtime.graphed_scorer import GraphedScorer
scorer = scorer_of("conv1d")
ours, windows = GraphedScorer(scorer, *WINDOW, "cuda", (), (8,)), torch.zeros(3, *WINDOW)
ours(windows)
try:
    torch.zeros(3, device="cuda")[torch.tensor([99], device="cuda")].cpu()
except torch.AcceleratorError:
    pass
try:
    ours(windows)
    raise SystemExit("the device works after an assertion failed on it")
except torch.AcceleratorError:
    torch.testing.assert_close(compile_scorer(scorer, *WINDOW)(windows), scorer(windows))
    print("ok")
"""


def _lost_device() -> str:
    """In a process of its own: a broken device raises what the engine restarts for, and the CPU goes on."""
    made = subprocess.run([sys.executable, "-c", _BREAK], capture_output=True, text=True)
    if made.stdout.strip() != "ok":
        raise ValueError(f"a lost device: {(made.stdout + made.stderr)[-800:]}")
    return "A lost device raises AcceleratorError, and the CPU answers in its place."


def _speed(name: str, device: str, buckets: Sequence[int], sizes: Sequence[int], rounds: int) -> list[Figure]:
    scorer = scorer_of(name)
    ours = GraphedScorer(scorer, *WINDOW, device, PREDICTED_CLASS_SCORES, buckets)
    on_device = scorer_of(name).to(device)
    figures = []
    for rows in sizes:
        runs = _ways(ours, on_device, _windows(rows), device)
        times = _in_turns(runs, rounds, max(5, 200_000 // (rows + 2000)))
        for what, values in times.items():
            of = {}
            if what == "predicted and explained":
                others = [other for other in times if other not in ("predicted", what)]
                of = {other: ratios(values, times[other]) for other in others}
            figures.append(Figure(f"{name}, {rows}: {what}", "µs", [1e6 * value for value in values], of))
    return figures


def _ways(
    ours: GraphedScorer, on_device: Scorer, windows: Tensor, device: str
) -> dict[str, Callable[[], object]]:
    score_spec = ScoreSpec()

    def eager() -> object:
        leaf = windows.to(device).requires_grad_(True)
        logits = on_device(leaf)
        slope = score_spec.freeze(logits.detach()).slope(logits)
        return torch.autograd.grad((logits * slope).sum(), leaf)[0].cpu()

    ways: dict[str, Callable[[], object]] = {
        "predicted": lambda: ours(windows),
        "predicted and explained": lambda: ours.forward_and_gradient(windows, score_spec),
        "eager": eager,
        "copies alone": lambda: windows.to(device).cpu(),
    }
    captum = _captum(on_device, windows, device)
    return {**ways, "eager Captum": captum} if captum else ways


def _captum(network: Scorer, windows: Tensor, device: str) -> Callable[[], object] | None:
    try:
        from captum.attr import Saliency
    except ImportError:
        return None
    saliency = Saliency(network)

    def once() -> object:
        given = windows.to(device).requires_grad_(True)
        target = network(given).argmax(1)
        return saliency.attribute(given, target=target, abs=False).cpu()

    return once


def _bulk(device: str, buckets: Sequence[int], rows: int, rounds: int) -> list[Figure]:
    ours = GraphedScorer(scorer_of("conv1d"), *WINDOW, device, PREDICTED_CLASS_SCORES, buckets)
    windows = _windows(rows)
    given = {"from ordinary memory": windows}
    if device != "cpu":
        given["from pinned memory"] = windows.pin_memory()
    runs: dict[str, Callable[[], object]] = {
        what: partial(ours.forward_and_gradient, source, ScoreSpec()) for what, source in given.items()
    }
    times = _in_turns(runs, rounds, 3)
    return [
        Figure(f"conv1d, {rows:,} in bulk, {what}", "windows explained/s", [rows / value for value in values])
        for what, values in times.items()
    ]


def _in_turns(runs: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of one run of each: the median within a round. The first round warms."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for lap in range(rounds + 1):
        for name, once in runs.items():
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                once()
                seconds.append(time.perf_counter() - begun)
            if lap:
                found[name].append(statistics.median(seconds))
    return found


def main() -> int:
    """The command of a plain checkout."""
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
