"""`glasstape bench truth`: how well the maps of each method find cells that are known to be salient.

Every network is trained on every known-truth set with several seeds, beside the Bayes-optimal classifier of the set.
Windows that it classifies correctly and that are not FLAT, most of which have no shifted cells, are explained with
every method, and the maps are scored.
"""

import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import polars as pl
import torch

from glasstape_server.bench.known_truth.sets import truth_set
from glasstape_server.bench.map_records import SCHEMA, of_task
from glasstape_server.bench.map_score import MapScore, map_scores
from glasstape_server.bench.ranking import chance_levels, time_only_ceiling
from glasstape_server.bench.truth_models import model_of
from glasstape_server.bench.truth_task import TruthTask


@dataclass(frozen=True)
class TruthResult:
    """Result of one task."""

    task: TruthTask
    accuracy: float
    explained: int
    """Number of explained windows."""
    random: float
    """Expected mean average precision of random maps."""
    ceiling: float
    """Highest mean average precision of maps that are constant across features."""
    checks: dict[str, float]
    """Value of each check of the model, by name."""
    scores: list[MapScore]
    maps: pl.DataFrame
    """A record of each map; see `map_records`."""


def run(
    tasks: list[TruthTask], processes: int, on_result: Callable[[TruthResult], None] = lambda result: None
) -> list[TruthResult]:
    """Run tasks; return the results in their order.

    Args:
        tasks: to run.
        processes: tasks at once.
        on_result: called with each result, in their order.
    """
    results = []
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for result in pool.map(run_task, tasks):
            results.append(result)
            on_result(result)
    return results


def run_task(task: TruthTask) -> TruthResult:
    """Train a network, explain test windows, and score the maps."""
    torch.set_num_threads(1)
    random = np.random.default_rng([task.seed, zlib.crc32(f"{task.kind} {task.shape}".encode())])
    model = model_of(task, random)
    test = truth_set(task.kind, task.steps, task.features).draw(task.test, random)
    with torch.no_grad():
        predicted = model.scorer(torch.from_numpy(test.windows)).argmax(1).numpy()
    has_cells = bool(test.cells.any())
    chosen = test.labels != 1 if has_cells else np.ones(len(test), dtype=bool)
    if has_cells and not task.permuted:
        chosen &= predicted == test.labels
    explained = test.rows(chosen)
    usable = has_cells and len(explained) > 0
    accuracy = float((predicted == test.labels).mean())
    checks = {check.name: check.value for check in model.checks}
    scores, maps = map_scores(model, explained) if len(explained) else ([], pl.DataFrame(schema=SCHEMA))
    return TruthResult(
        task,
        accuracy=accuracy,
        explained=len(explained),
        random=float(chance_levels(explained.cells).mean()) if usable else float("nan"),
        ceiling=time_only_ceiling(explained.cells) if usable else float("nan"),
        checks=checks,
        scores=scores,
        maps=of_task(maps, task, accuracy, checks),
    )
