"""`glasstape bench truth`: do the maps find the cells that are known to carry the class?

Trains every network on every known-truth set with several seeds, explains windows that it classifies
correctly (and that are not FLAT: those have no cells to find), and scores every method's map.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor

from glasstape_server.bench import known_truth
from glasstape_server.bench.known_truth import Truth
from glasstape_server.bench.ranking import average_precision, random_level, time_only_ceiling
from glasstape_server.domain.values import Floats
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.evidence import measure
from glasstape_server.explain.method import Attribution, MethodName, Quantity, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.explain.verdict import MapFacts, Verdict, judge_fully
from glasstape_server.models.manifest import Architecture, Check
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import calibrate
from glasstape_server.training.checks import parameter_randomization, skill
from glasstape_server.training.examples import TensorExamples
from glasstape_server.training.fit import FitOptions, fit, logits_of

ASKED: tuple[tuple[MethodName, Score], ...] = (
    (MethodName.OCCLUSION, Score.LOG_PROBABILITY),
    (MethodName.OCCLUSION, Score.MARGIN),
    (MethodName.GRADIENT, Score.LOGIT),
    (MethodName.GRADIENT, Score.MARGIN),
    (MethodName.GRADIENT, Score.LOG_PROBABILITY),
    (MethodName.GRADIENT_X_INPUT, Score.MARGIN),
    (MethodName.SMOOTHGRAD, Score.MARGIN),
    (MethodName.INTEGRATED_GRADIENTS, Score.MARGIN),
    (MethodName.EXPECTED_GRADIENTS, Score.MARGIN),
    (MethodName.SHAPLEY_BARS, Score.MARGIN),
    (MethodName.SHAPLEY_FEATURES, Score.MARGIN),
    (MethodName.GRAD_CAM, Score.LOGIT),
    (MethodName.GRAD_CAM_X_GRADIENT, Score.MARGIN),
    (MethodName.ATTENTION, Score.LOGIT),
    (MethodName.ATTENTION_X_GRADIENT, Score.MARGIN),
)
"""Every method with the scores that are worth telling apart."""
JUDGED = {(MethodName.GRADIENT, Score.MARGIN), (MethodName.INTEGRATED_GRADIENTS, Score.MARGIN),
          (MethodName.OCCLUSION, Score.MARGIN)}  # fmt: skip
"""Maps whose quality FULL is counted, too."""
SAMPLES = {MethodName.INTEGRATED_GRADIENTS: 32, MethodName.EXPECTED_GRADIENTS: 4}
DEAREST = {"axial": 1}
"""Passes over the training windows at most: a step of this network costs as much as ten of another."""
SHUFFLED = "moving"
"""The set whose labels are shuffled for the label randomisation check (Adebayo et al. 2018, section 3.2): its cells
move, so that no fixed weight can happen to lie on them."""
CURVE = 12
"""Points of a deletion curve."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One network, trained once."""

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
    """Train on labels that were shuffled: nothing can be learnt, and maps must show it."""


@dataclass(frozen=True)
class MapScore:
    """One method on one trained network."""

    method: str
    score: str
    precision: float
    """Mean per-sample average precision of |map|; NaN where no cells are known."""
    sign: float
    """Share of known cells whose sign is right: for contributions, effects and sensitivities."""
    deletion: list[float]
    """Mean probability of the explained class when the map's strongest cells are filled with 0: none of them
    first, all of them last. The faster it falls, the better the map found what mattered."""
    reliable: float = float("nan")
    """Share of maps that quality FULL calls reliable."""
    agreed: float = float("nan")
    """The same without asking whether the model has any skill."""


@dataclass(frozen=True)
class Outcome:
    """What came of one job."""

    job: Job
    accuracy: float
    explained: int
    random: float
    ceiling: float
    skill: float
    randomisation: float
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
) -> list[Job]:
    """Every combination, and each network once on shuffled labels. Empty lists: all there are.

    Raises:
        ValueError: a name that there is not, or a shape that is none.
    """
    for field_name, asked, known in (
        ("networks", networks, ARCHITECTURES),
        ("kinds", kinds, known_truth.KINDS),
    ):
        unknown = sorted(set(asked) - set(known))
        if unknown:
            raise ValueError(f"{field_name}: must be of {', '.join(known)}, is {', '.join(unknown)}")
    jobs = []
    for shape in shapes:
        sides = shape.split("x")
        if len(sides) != 2 or not all(side.isdigit() for side in sides):
            raise ValueError(f"shapes: must look like 6x8, is {shape!r}")
        steps, features = map(int, sides)
        for seed in range(seeds):
            for kind in kinds or known_truth.KINDS:
                for network in networks or ARCHITECTURES:
                    job = Job(
                        architecture=network,
                        kind=kind,
                        steps=steps,
                        features=features,
                        seed=seed,
                        windows=windows,
                        epochs=min(epochs, DEAREST.get(network, epochs)),
                        test=test,
                    )
                    jobs.append(job)
                    if seed == 0 and kind == SHUFFLED:
                        jobs.append(replace(job, permuted=True))
    return jobs


def run(jobs: list[Job], processes: int) -> list[Outcome]:
    """Run all jobs, in their order."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(run_job, jobs))


def run_job(job: Job) -> Outcome:
    """Train, explain, score."""
    torch.set_num_threads(1)
    random = np.random.default_rng([job.seed, sorted(known_truth.KINDS).index(job.kind)])
    scorer, validation, checks = _train(job, random)
    test = known_truth.make(job.kind, job.test, job.steps, job.features, random)
    with torch.no_grad():
        predicted = scorer(torch.from_numpy(test.windows)).argmax(1).numpy()
    told = bool(test.cells.any())
    chosen = test.labels != 1 if told else np.ones(len(test), dtype=bool)
    if told and not job.permuted:
        chosen &= predicted == test.labels
    explained = test.rows(chosen)
    flat = explained.cells.reshape(len(explained), -1)
    usable = told and len(explained) > 0
    return Outcome(
        job,
        accuracy=float((predicted == test.labels).mean()),
        explained=len(explained),
        random=random_level(flat, random) if usable else float("nan"),
        ceiling=time_only_ceiling(explained.cells) if usable else float("nan"),
        skill=checks[0].value,
        randomisation=checks[1].value,
        scores=_scores(scorer, explained, torch.from_numpy(validation.windows[:16]), checks)
        if len(explained)
        else [],
    )


def _train(job: Job, random: np.random.Generator) -> tuple[Scorer, Truth, tuple[Check, ...]]:
    made = [known_truth.make(job.kind, n, job.steps, job.features, random) for n in (job.windows, 2000)]
    labels = [random.permutation(t.labels) if job.permuted else t.labels for t in made]
    parts = [
        TensorExamples(torch.from_numpy(t.windows), torch.from_numpy(y))
        for t, y in zip(made, labels, strict=True)
    ]
    config = default_config(job.architecture, job.steps, job.features)
    network = fit(
        partial(build, job.architecture, config),
        parts[0],
        parts[1],
        FitOptions(seed=job.seed, epochs=job.epochs, patience=job.epochs),
    ).requires_grad_(False)
    scorer = Scorer(network, torch.zeros(job.features), torch.ones(job.features)).eval()
    logits = logits_of(network, parts[1])
    stated = calibrate.probabilities(logits, calibrate.fit_temperature(logits, labels[1]))
    checks = (
        skill(
            stated,
            labels[1],
            np.arange(len(logits)),
            np.bincount(labels[0], minlength=3) / len(labels[0]),
        ),
        parameter_randomization(
            scorer,
            Architecture(name=job.architecture, config=config),
            torch.from_numpy(made[1].windows[:128]),
        ),
    )
    return scorer, made[1], checks


def _scores(scorer: Scorer, test: Truth, background: Tensor, checks: tuple[Check, ...]) -> list[MapScore]:
    windows = torch.from_numpy(test.windows)
    rows = Rows(windows, torch.zeros_like(windows), torch.ones(windows.shape[2]), background)
    found = []
    for name, score in ASKED:
        method = METHODS[name]
        if not method.serves(scorer, rows.shape):
            continue
        request = Request(name, ScoreSpec(score), samples=SAMPLES.get(name, 0))
        made = method.attribute(scorer, rows, request)
        judged = (float("nan"), float("nan"))
        if (name, score) in JUDGED:
            judged = _reliable(scorer, rows, made, request, checks)
        found.append(
            MapScore(
                name.name,
                score.name,
                _precision(made, test),
                _sign(made, test, method.quantity),
                _deletion(scorer, rows, made),
                *judged,
            )
        )
    return found


def _precision(made: Attribution, test: Truth) -> float:
    if not test.cells.any():
        return float("nan")
    strength = made.values.abs().double().flatten(1).numpy()
    return float(average_precision(strength, test.cells.reshape(len(test), -1)).mean())


def _sign(made: Attribution, test: Truth, quantity: Quantity) -> float:
    """A cell that carries the class was shifted towards it: it supports it, and raising it raises UP."""
    if quantity is Quantity.RELEVANCE or not test.cells.any():
        return float("nan")
    expected = np.ones(len(test)) if quantity is not Quantity.SENSITIVITY else test.labels - 1.0
    right = made.values.numpy() * expected[:, None, None] > 0
    return float(right[test.cells].mean())


@torch.no_grad()
def _deletion(scorer: Scorer, rows: Rows, made: Attribution) -> list[float]:
    cells = rows.shape[0] * rows.shape[1]
    order = made.values.abs().flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(rows.windows)
    left = []
    for removed in np.linspace(0, cells, CURVE + 1).round():
        kept = torch.where(rank < removed, rows.baseline, rows.windows)
        probability = torch.softmax(scorer(kept), 1).gather(1, made.frozen.target[:, None])
        left.append(round(float(probability.mean()), 4))
    return left


def _reliable(
    scorer: Scorer, rows: Rows, made: Attribution, request: Request, checks: tuple[Check, ...]
) -> tuple[float, float]:
    quantity = METHODS[request.method].quantity
    seen = measure(scorer, rows, torch.zeros(rows.shape[1]), made, request)
    judged: list[list[bool]] = []
    for row in range(len(rows)):
        difference = error = None
        if made.baseline_score is not None and made.completeness_error is not None:
            difference = float(made.score[row] - made.baseline_score[row])
            error = float(made.completeness_error[row])
        facts = MapFacts(made.values[row].numpy(), quantity, difference, error)
        measured: tuple[float, float, Floats, Floats] = (
            float(seen.sign_agreement[row]),
            float(seen.occlusion_correlation[row]),
            seen.deletion[row].double().numpy(),
            seen.random_deletion[row].double().numpy(),
        )
        verdicts = [judge_fully(facts, *measured, of_model).verdict for of_model in (checks, ())]
        judged.append([verdict is Verdict.RELIABLE for verdict in verdicts])
    reliable, agreed = np.mean(judged, axis=0)
    return float(reliable), float(agreed)
