"""One evaluation: every candidate on every fold, judged, compared, and tried for leaks."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.values import Direction, Floats, Ints
from glasstape_server.evaluation import alarms, candidates
from glasstape_server.evaluation.alarms import Alarm
from glasstape_server.evaluation.baselines import LEARNED, RULES
from glasstape_server.evaluation.candidates import SHUFFLED, Answer, Plan
from glasstape_server.evaluation.conformal import Coverage, coverages
from glasstape_server.evaluation.costs import Earned, earned, positions
from glasstape_server.evaluation.figures import BLOCK, Estimate, Figures, Predicted, TooFewDays
from glasstape_server.evaluation.simulated import calibrated_ece
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.models.manifest import Reliability
from glasstape_server.storage import temporary
from glasstape_server.training.calibrate import (
    classwise_calibration_error,
    expected_calibration_error,
    reliability,
)
from glasstape_server.training.dataset import Dataset

KEPT_SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
"""Shares of the surest windows at which a coverage curve is told."""
BASELINES = (*RULES, *LEARNED)


@dataclass(frozen=True, slots=True)
class Kept:
    """The surest windows: how many, and how often they were right."""

    confidence: float
    """Least confidence among them."""
    coverage: float
    """Share of all windows."""
    accuracy: float
    hit_rate: float
    """Of those that say UP or DOWN; 0 if none does."""
    calls: int
    """How many say so."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate."""

    name: str
    figures: dict[str, Estimate]
    """On symbols that were trained on."""
    held_out: dict[str, Estimate]
    """On symbols that never were; empty where there are too few days or none is held out."""
    beyond: dict[str, dict[str, Estimate]]
    """Baseline -> figure -> how much better: accuracy, and where both state probabilities log loss saved."""
    beaten: dict[str, bool]
    """Baseline -> whether the whole interval says so, in log loss, or else in accuracy."""
    kept: tuple[Kept, ...]
    abstaining: Kept
    """What is left above the thresholds that validation chose."""
    reliability: tuple[Reliability, ...]
    ece_before: float
    """Top-label, of the same logits at temperature 1."""
    classwise_ece_before: float
    classwise_ece: float
    ece_if_calibrated: Estimate | None
    """Of perfectly calibrated outcomes with the same clusters of days."""
    conformal: tuple[Coverage, ...]
    earned: Earned
    temperatures: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All of it."""

    windows: int
    tested: int
    """Test windows of symbols that were trained on."""
    tested_held_out: int
    symbols: int
    held_out: tuple[str, ...]
    days: int
    class_shares: tuple[float, float, float]
    """Of the test windows."""
    thresholds: tuple[float, ...]
    """k of each fold."""
    judged: tuple[Judged, ...]
    alarms: tuple[Alarm, ...]


def evaluate(
    everything: Dataset,
    plan: Plan,
    cost: float,
    processes: int = 1,
    block: int = BLOCK,
    progress: candidates.Progress = lambda done, of: None,
) -> Evaluation:
    """Walk forward.

    Args:
        everything: labelled windows.
        plan: candidates and folds.
        cost: of every change of a position, as a share of the price.
        processes: fits at once.
        block: days that are drawn together, at least as many as a label looks ahead.
        progress: told after each fit.

    Raises:
        ValueError: too little data.
    """
    folder = temporary.create_folder("evaluation")
    try:
        answers = candidates.run(everything, plan, folder, processes, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bench = _Bench(everything, plan, cost, block)
    by_name = {name: [a for a in answers if a.job.candidate == name] for name in plan.candidates}
    figures = {name: bench.figures(found) for name, found in by_name.items()}
    judged = [
        bench.judge(name, found, figures) for name, found in by_name.items() if not name.startswith(SHUFFLED)
    ]
    honest = {name: found for name, found in figures.items() if not name.startswith(SHUFFLED)}
    rang = [alarms.too_good(honest)]
    rang += [
        alarms.shuffled(name.removeprefix(SHUFFLED), found)
        for name, found in figures.items()
        if name not in honest
    ]
    return Evaluation(
        len(everything),
        bench.tested,
        bench.tested_held_out,
        len(everything.symbols),
        tuple(s for number, s in enumerate(everything.symbols) if number in bench.never),
        figures[judged[0].name].days,
        bench.class_shares(answers),
        tuple(round(next(a.k for a in answers if a.job.fold == n), 6) for n in range(plan.folds)),
        tuple(judged),
        tuple(rang),
    )


class _Bench:
    """What all candidates of an evaluation share: test windows, and which symbols were never trained on."""

    def __init__(self, everything: Dataset, plan: Plan, cost: float, block: int) -> None:
        self._plan, self._cost, self._block = plan, cost, block
        tests = [fold.test for fold in folds(everything, plan.folds, plan.rule.bars_ahead)]
        self._never = [test.never_trained() for test in tests]
        self._time = [test.close_time for test in tests]
        self._symbol = [test.symbol for test in tests]
        self.never = set(np.concatenate(self._symbol)[np.concatenate(self._never)].tolist())
        self.tested_held_out = int(sum(mask.sum() for mask in self._never))
        self.tested = sum(map(len, tests)) - self.tested_held_out

    def class_shares(self, answers: Sequence[Answer]) -> tuple[float, float, float]:
        """Of the test windows of all folds."""
        first = {a.job.fold: a.labels for a in answers}
        down, flat, up = np.bincount(np.concatenate(list(first.values())), minlength=3) / sum(
            map(len, first.values())
        )
        return round(float(down), 6), round(float(flat), 6), round(float(up), 6)

    def figures(self, answers: Sequence[Answer], *, held_out: bool = False) -> Figures:
        """Of one candidate."""
        return Figures(self._predicted(answers, held_out), self._block)

    def judge(self, name: str, answers: Sequence[Answer], figures: dict[str, Figures]) -> Judged:
        """Everything that is said of one candidate."""
        own, predicted = figures[name], self._predicted(answers, False)
        beyond = {
            baseline: _beyond(own, figures[baseline])
            for baseline in BASELINES
            if baseline in figures and baseline != name
        }
        thresholds = self._concatenated(answers, [np.full(len(a.labels), a.threshold) for a in answers])
        sure = predicted.stated.max(axis=1)
        levels = [float(np.quantile(sure, 1 - share)) if share < 1 else 0.0 for share in KEPT_SHARES]
        return Judged(
            name,
            own.estimates,
            self._held_out(answers),
            beyond,
            {
                baseline: found.get("log_loss_saved", found["accuracy"]).low > 0
                for baseline, found in beyond.items()
            },
            tuple(_kept(predicted, sure >= level, level) for level in levels) if own.probabilistic else (),
            _kept(predicted, sure >= thresholds, float(np.mean([a.threshold for a in answers]))),
            reliability(sure, predicted.winner == predicted.labels) if own.probabilistic else (),
            *self._errors_before(answers, predicted),
            classwise_calibration_error(predicted.stated, predicted.labels) if own.probabilistic else 0.0,
            self._yardstick(answers) if own.probabilistic else None,
            coverages(answers) if own.probabilistic else (),
            earned(
                positions(predicted.stated, thresholds),
                self._concatenated(answers, [a.returns for a in answers]),
                predicted.close_time,
                self._series(answers),
                self._plan.rule,
                self._cost,
                self._block,
            ),
            tuple(round(a.temperature, 4) for a in answers),
        )

    def _errors_before(self, answers: Sequence[Answer], predicted: Predicted) -> tuple[float, float]:
        """Top-label and classwise ECE without temperatures."""
        if not predicted.probabilistic:
            return 0.0, 0.0
        # Of softmax(logits / T), T times the logarithm is the logits again, but for a constant.
        logits = [np.log(np.maximum(a.stated.astype(np.float64), 1e-12)) * a.temperature for a in answers]
        before = self._concatenated(answers, [softmax(part, 1.0) for part in logits])
        return (
            expected_calibration_error(before, predicted.labels),
            classwise_calibration_error(before, predicted.labels),
        )

    def _yardstick(self, answers: Sequence[Answer]) -> Estimate:
        """ECE of perfectly calibrated outcomes; of one seed, because all seeds share their outcomes."""
        first = [answer for answer in answers if answer.job.seed == 0]
        predicted = self._predicted(first, False)
        return calibrated_ece(predicted, Figures(predicted, self._block).day)

    def _held_out(self, answers: Sequence[Answer]) -> dict[str, Estimate]:
        if not self.never:
            return {}
        try:
            return self.figures(answers, held_out=True).estimates
        except TooFewDays:  # nothing is said without an interval
            return {}

    def _predicted(self, answers: Sequence[Answer], held_out: bool) -> Predicted:
        def of(parts: list[np.ndarray]) -> np.ndarray:
            return self._concatenated(answers, parts, held_out)

        return Predicted(
            of([a.stated.astype(np.float64) for a in answers]),
            of([a.labels for a in answers]),
            of([self._time[a.job.fold] for a in answers]),
            of([np.tile(a.shares, (len(a.labels), 1)) for a in answers]),
            answers[0].probabilistic,
        )

    def _concatenated(
        self, answers: Sequence[Answer], parts: Sequence[np.ndarray], held_out: bool = False
    ) -> np.ndarray:
        masks = [self._never[a.job.fold] == held_out for a in answers]
        return np.concatenate([part[mask] for part, mask in zip(parts, masks, strict=True)])

    def _series(self, answers: Sequence[Answer]) -> Ints:
        """A number for each symbol, seed and fold: a position is not carried from one to another."""
        size = max(int(part.max()) for part in self._symbol) + 1
        return self._concatenated(
            answers,
            [
                (a.job.fold * self._plan.seeds + a.job.seed) * size
                + self._symbol[a.job.fold].astype(np.int64)
                for a in answers
            ],
        )


def _beyond(own: Figures, other: Figures) -> dict[str, Estimate]:
    found = {"accuracy": own.beyond(other, "accuracy")}
    if own.probabilistic and other.probabilistic:
        found["log_loss_saved"] = own.beyond(other, "log_loss_gained")
    return found


def _kept(predicted: Predicted, chosen: NDArray[np.bool_], level: float) -> Kept:
    winner, labels = predicted.winner[chosen], predicted.labels[chosen]
    calls = winner != Direction.FLAT
    hit = winner == labels

    def share(of: Floats | NDArray[np.bool_]) -> float:
        return float(of.mean()) if len(of) else 0.0

    return Kept(level, float(chosen.mean()), share(hit), share(hit[calls]), int(calls.sum()))
