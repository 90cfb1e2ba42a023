"""`glasstape bench training`: speed of reading bars into batches, and of training epochs.

All on one core. Reading: from a Parquet file to normalized batches in order. Epoch: one training epoch of `fit`,
relative to bare forward and backward passes of the same network on tensors in memory.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from glasstape.barfile.options import BarFileOptions, close_of
from torch.nn import functional

from glasstape_server.domain.times import DAY
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.files import BarFiles
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.training import dataset
from glasstape_server.training.examples import DatasetExamples, Normalization, batches_of
from glasstape_server.training.fit import FitOptions, train_epoch

BATCH = FitOptions().batch
SHAPE = FeatureSpec().window_shape
"""(time, feature)."""
DAYS = BarFileOptions(time_zone="UTC", close=close_of("24:00"))
STEPS = 200
"""Batches per measured epoch."""


def run(symbols: int, bars: int, networks: list[str], rounds: int) -> str:
    """Measure reading and epochs; return a Markdown table.

    Args:
        symbols: number of symbols.
        bars: per symbol.
        networks: names of architectures; empty for all.
        rounds: of each measurement.

    Raises:
        ValueError: an architecture is unknown.
    """
    if unknown := sorted(set(networks) - set(ARCHITECTURES)):
        raise ValueError(f"networks: must be of {', '.join(ARCHITECTURES)}, is {', '.join(unknown)}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bars.parquet"
            _bars(symbols, bars).write_parquet(path)
            speeds, examples = _reading(path, rounds)
        lines = [
            f"{symbols} symbols x {bars:,} bars, one core. File to batches: {np.median(speeds) / 1e6:.2f} M "
            f"windows/s of CPU time ({min(speeds) / 1e6:.2f} … {max(speeds) / 1e6:.2f}); gathering batches only: "
            f"{_gathering(examples) / 1e6:.2f} M windows/s.",
            "",
            "| network | epoch, windows/s | bare forward + backward, windows/s | epoch time / bare time |",
            "|---|---:|---:|---:|",
        ]
        for name in networks or ARCHITECTURES:
            epoch, bare = _epoch(name, examples, rounds)
            size = STEPS * BATCH
            lines.append(f"| {name} | {size / epoch:,.0f} | {size / bare:,.0f} | {epoch / bare:.2f} |")
        return "\n".join(lines)
    finally:
        torch.set_num_threads(threads)


def _bars(symbols: int, bars: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    close = 100 * np.exp(random.normal(0, 0.01, (symbols, bars)).cumsum(axis=1))
    opened = close * np.exp(random.normal(0, 0.003, close.shape))
    return pl.DataFrame(
        {
            "symbol": np.repeat([f"S{n:05d}" for n in range(symbols)], bars),
            "datetime": np.tile(
                pl.Series(10_000 * DAY + DAY * np.arange(bars)).cast(pl.Datetime("us")), symbols
            ),
            "open": opened.ravel(),
            "high": (np.maximum(opened, close) * 1.002).ravel(),
            "low": (np.minimum(opened, close) * 0.998).ravel(),
            "close": close.ravel(),
            "volume": np.exp(random.normal(12, 0.5, close.size)),
        }
    )


def _reading(path: Path, rounds: int) -> tuple[list[float], DatasetExamples]:
    speeds = []
    for _ in range(rounds):
        start = time.process_time()  # over all threads of polars
        frames = BarFiles([path], "1d", DAYS).chunks(1_000_000)
        data = dataset.build(frames, "1d", FeatureSpec(), LabelRule())
        examples = DatasetExamples(data, data.labels(LabelRule()), Normalization.of(data))
        for _windows, _labels in batches_of(examples):
            pass
        speeds.append(len(data) / (time.process_time() - start))
    return speeds, examples


def _gathering(examples: DatasetExamples) -> float:
    order = torch.randperm(len(examples))
    start = time.perf_counter()
    for numbers in torch.split(order, BATCH):
        examples.take(numbers)
    return len(order) / (time.perf_counter() - start)


def _epoch(name: str, examples: DatasetExamples, rounds: int) -> tuple[float, float]:
    """Return the least seconds of an epoch of `STEPS` batches, and of bare passes."""
    network = build(name, default_config(name, *SHAPE)).train()
    windows, labels = examples.take(torch.arange(BATCH))
    order = torch.randperm(len(examples))[: STEPS * BATCH]
    optimizer = FitOptions().optimizer(network)

    def epoch() -> None:
        train_epoch(network, examples, optimizer, order, BATCH)

    def bare() -> None:
        for _ in range(STEPS):
            network.zero_grad()
            functional.cross_entropy(network(windows), labels).backward()  # type: ignore[no-untyped-call]

    # Alternating, so that noise affects both.
    pairs = [(_seconds(epoch), _seconds(bare)) for _ in range(rounds)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
