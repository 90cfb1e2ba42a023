"""`glasstape bench truth`: how well the maps of each method find cells that are known to be salient.

Every network is trained on every known-truth set with several seeds. Windows that it classifies correctly and that are
not FLAT, which have no salient cells, are explained with every method, and the maps are scored.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch

from glasstape_server.bench import known_truth
from glasstape_server.bench.known_truth import KnownTruth
from glasstape_server.bench.map_score import MapScore, map_scores
from glasstape_server.bench.ranking import random_level, time_only_ceiling
from glasstape_server.domain.statistics import softmax
from glasstape_server.models.manifest import Architecture, Check
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import calibrate
from glasstape_server.training.checks import parameter_randomization, skill
from glasstape_server.training.examples import TensorExamples
from glasstape_server.training.fit import FitOptions, fit, logits_of

MAX_EPOCHS = {"axial": 1}
"""Limit of epochs for expensive networks."""
SHUFFLED = "moving"
"""Set for the label randomization check (Adebayo et al. 2018, section 3.2). Its salient cells move, so that no fixed
weights can coincide with them."""


@dataclass(frozen=True, kw_only=True)
class TruthTask:
    """One network, trained once on one set."""

    architecture: str
    kind: str
    steps: int = 6
    features: int = 8
    seed: int = 0
    windows: int = 256_000
    """Training windows."""
    epochs: int = 2
    test: int = 400
    """Windows of which the correctly classified ones are explained."""
    permuted: bool = False
    """Whether to train on shuffled labels, for the label randomization check."""


@dataclass(frozen=True)
class TruthResult:
    """Result of one task."""

    task: TruthTask
    accuracy: float
    explained: int
    """Number of explained windows."""
    random: float
    """Mean average precision of random maps."""
    ceiling: float
    """Highest mean average precision of maps that are constant across features."""
    skill: float
    """Value of the check of that name."""
    parameter_randomization: float
    """Value of the check of that name."""
    scores: list[MapScore] = field(default_factory=list)


def plan(
    networks: list[str],
    kinds: list[str],
    shapes: list[str],
    seeds: int,
    *,
    windows: int,
    epochs: int,
    test: int,
) -> list[TruthTask]:
    """Return the tasks of every combination, and of each network once with shuffled labels.

    Args:
        networks: names of architectures; empty for all.
        kinds: names of known-truth sets; empty for all.
        shapes: of the windows, such as "6x8".
        seeds: per network and set.
        windows: number of training windows.
        epochs: of training.
        test: number of test windows.

    Raises:
        ValueError: a name is unknown, or a shape is invalid.
    """
    for field_name, names, known in (
        ("networks", networks, ARCHITECTURES),
        ("kinds", kinds, known_truth.KINDS),
    ):
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ValueError(f"{field_name}: must be of {', '.join(known)}, is {', '.join(unknown)}")
    tasks = []
    for shape in shapes:
        sides = shape.split("x")
        if len(sides) != 2 or not all(side.isdigit() for side in sides):
            raise ValueError(f"shapes: must look like 6x8, is {shape!r}")
        steps, features = map(int, sides)
        for seed in range(seeds):
            for kind in kinds or known_truth.KINDS:
                for network in networks or ARCHITECTURES:
                    task = TruthTask(
                        architecture=network,
                        kind=kind,
                        steps=steps,
                        features=features,
                        seed=seed,
                        windows=windows,
                        epochs=min(epochs, MAX_EPOCHS.get(network, epochs)),
                        test=test,
                    )
                    tasks.append(task)
                    if seed == 0 and kind == SHUFFLED:
                        tasks.append(replace(task, permuted=True))
    return tasks


def run(tasks: list[TruthTask], processes: int) -> list[TruthResult]:
    """Run tasks in `processes` processes; return the results in their order."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(run_task, tasks))


def run_task(task: TruthTask) -> TruthResult:
    """Train a network, explain test windows, and score the maps."""
    torch.set_num_threads(1)
    random = np.random.default_rng([task.seed, sorted(known_truth.KINDS).index(task.kind)])
    scorer, validation, checks = _train(task, random)
    test = known_truth.make(task.kind, task.test, task.steps, task.features, random)
    with torch.no_grad():
        predicted = scorer(torch.from_numpy(test.windows)).argmax(1).numpy()
    has_cells = bool(test.cells.any())
    chosen = test.labels != 1 if has_cells else np.ones(len(test), dtype=bool)
    if has_cells and not task.permuted:
        chosen &= predicted == test.labels
    explained = test.rows(chosen)
    flat = explained.cells.reshape(len(explained), -1)
    usable = has_cells and len(explained) > 0
    return TruthResult(
        task,
        accuracy=float((predicted == test.labels).mean()),
        explained=len(explained),
        random=random_level(flat, random) if usable else float("nan"),
        ceiling=time_only_ceiling(explained.cells) if usable else float("nan"),
        skill=checks[0].value,
        parameter_randomization=checks[1].value,
        scores=map_scores(scorer, explained, torch.from_numpy(validation.windows[:16]), checks)
        if len(explained)
        else [],
    )


def _train(task: TruthTask, random: np.random.Generator) -> tuple[Scorer, KnownTruth, tuple[Check, ...]]:
    sets = [known_truth.make(task.kind, n, task.steps, task.features, random) for n in (task.windows, 2000)]
    labels = [random.permutation(t.labels) if task.permuted else t.labels for t in sets]
    examples = [
        TensorExamples(torch.from_numpy(t.windows), torch.from_numpy(y))
        for t, y in zip(sets, labels, strict=True)
    ]
    config = default_config(task.architecture, task.steps, task.features)
    network = fit(
        partial(build, task.architecture, config),
        examples[0],
        examples[1],
        FitOptions(seed=task.seed, epochs=task.epochs, patience=task.epochs),
    ).requires_grad_(False)
    scorer = Scorer(network, torch.zeros(task.features), torch.ones(task.features)).eval()
    temperature = calibrate.fit_temperature(logits_of(network, examples[1]), labels[1])
    # A generator of its own: fresh windows for the skill check leave the other sets as they are.
    fresh_random = np.random.default_rng([task.seed, sorted(known_truth.KINDS).index(task.kind), 1])
    fresh = known_truth.make(task.kind, 2000, task.steps, task.features, fresh_random)
    fresh_labels = fresh_random.permutation(fresh.labels) if task.permuted else fresh.labels
    fresh_examples = TensorExamples(torch.from_numpy(fresh.windows), torch.from_numpy(fresh_labels))
    probabilities = softmax(logits_of(network, fresh_examples), temperature)
    checks = (
        skill(
            probabilities,
            fresh_labels,
            np.arange(len(fresh)),
            np.bincount(labels[0], minlength=3) / len(labels[0]),
        ),
        parameter_randomization(
            scorer,
            Architecture(name=task.architecture, config=config),
            torch.from_numpy(sets[1].windows[:128]),
        ),
    )
    return scorer, sets[1], checks
