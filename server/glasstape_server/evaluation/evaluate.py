"""Evaluation: metrics, returns and leak checks of every candidate over all folds."""

import shutil
from collections.abc import Sequence

import numpy as np
from glasstape.skill import SkillVerdict, skill_verdict
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import IntervalEstimate, softmax
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation import candidates, leak_checks
from glasstape_server.evaluation.averaging import logits_of
from glasstape_server.evaluation.baselines import CLASSIFIERS, RULES
from glasstape_server.evaluation.candidates import SHUFFLED, EvaluationPlan, FoldResult
from glasstape_server.evaluation.conformal import coverages
from glasstape_server.evaluation.epoch_reports import EpochReporter
from glasstape_server.evaluation.evaluation_result import CandidateResult, Evaluation, SelectivePoint
from glasstape_server.evaluation.metrics import (
    LabeledPredictions,
    MetricEstimates,
    TooFewDaysError,
    block_days,
)
from glasstape_server.evaluation.network_importance import PartResult, pooled
from glasstape_server.evaluation.ranking import evaluate_ranking
from glasstape_server.evaluation.simulated import ece_if_calibrated
from glasstape_server.evaluation.strategy_returns import positions, strategy_returns
from glasstape_server.storage import temporary
from glasstape_server.training.calibrate import (
    classwise_calibration_error,
    expected_calibration_error,
    reliability,
)
from glasstape_server.training.dataset import Dataset

COVERAGES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
"""Shares of the windows of highest confidence at which accuracy is reported."""
BASELINES = (*RULES, *CLASSIFIERS)


def evaluate(
    data: Dataset,
    plan: EvaluationPlan,
    cost: float,
    processes: int = 1,
    interval: str = "1d",
    on_progress: candidates.ProgressCallback = lambda done, total, result: None,
    on_epoch: EpochReporter = lambda report: None,
) -> Evaluation:
    """Evaluate candidates by walk-forward.

    Args:
        data: labeled windows.
        plan: candidates and folds.
        cost: of a change of position, as a share of the price.
        processes: fits at once.
        interval: of the bars.
        on_progress: called after each fit.
        on_epoch: called after each epoch of a fit.

    Raises:
        TooFewDaysError: too few test days for intervals; nothing was fitted.
        ValueError: too little data.
    """
    evaluator = Evaluator(data, plan, cost, interval)
    folder = temporary.create_folder("evaluation")
    try:
        results = candidates.run(data, plan, folder, processes, on_progress, on_epoch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    by_name = {name: [r for r in results if r.task.candidate == name] for name in plan.candidates}
    metrics = {name: evaluator.metrics(own) for name, own in by_name.items()}
    unshuffled = {name: own for name, own in metrics.items() if not name.startswith(SHUFFLED)}
    judged = [evaluator.candidate(name, by_name[name], metrics) for name in unshuffled]
    checks = [leak_checks.implausible_accuracy(unshuffled)]
    checks += [
        leak_checks.shuffled_labels(name.removeprefix(SHUFFLED), own)
        for name, own in metrics.items()
        if name not in unshuffled
    ]
    return Evaluation(
        len(data),
        evaluator.tested,
        evaluator.tested_held_out,
        len(data.symbols),
        tuple(s for number, s in enumerate(data.symbols) if number in evaluator.held_out_symbols),
        evaluator.days,
        evaluator.block,
        evaluator.class_shares(results),
        tuple(round(next(r.k for r in results if r.task.fold == n), 6) for n in range(plan.folds)),
        tuple(judged),
        tuple(checks),
        evaluate_ranking(evaluator.tests, results, plan, cost, evaluator.block),
    )


class Evaluator:
    """Test windows of all folds, and the metrics of candidates on them."""

    def __init__(self, data: Dataset, plan: EvaluationPlan, cost: float, interval: str) -> None:
        """Select the test windows.

        Raises:
            TooFewDaysError: they are of too few days.
            ValueError: too little data for the folds.
        """
        self._plan, self._cost = plan, cost
        self._names = data.feature_names
        self.tests = tests = [fold.test for fold in plan.split(data)]
        """Test windows of each fold."""
        self._held_out = [test.held_out_mask() for test in tests]
        self._close_time = [test.close_time for test in tests]
        self._symbol = [test.symbol for test in tests]
        symbols = np.concatenate(self._symbol)[np.concatenate(self._held_out)]
        self.held_out_symbols = set(symbols.tolist())
        """Numbers of the held-out symbols."""
        self.tested_held_out = int(sum(mask.sum() for mask in self._held_out))
        self.tested = sum(map(len, tests)) - self.tested_held_out
        times = np.concatenate([t[~held] for t, held in zip(self._close_time, self._held_out, strict=True)])
        self.days = len(np.unique((times - 1) // DAY))
        self.block = block_days(plan.rule.bars_ahead, interval, self.days)

    def class_shares(self, results: Sequence[FoldResult]) -> tuple[float, float, float]:
        """Return the class shares of the test windows of all folds."""
        by_fold = {r.task.fold: r.labels for r in results}
        labels = np.concatenate(list(by_fold.values()))
        down, flat, up = np.bincount(labels, minlength=3) / len(labels)
        return round(float(down), 6), round(float(flat), 6), round(float(up), 6)

    def metrics(self, results: Sequence[FoldResult], *, held_out: bool = False) -> MetricEstimates:
        """Return the metrics of one candidate."""
        return MetricEstimates(self._predictions(results, held_out), self.block)

    def candidate(
        self, name: str, results: Sequence[FoldResult], metrics: dict[str, MetricEstimates]
    ) -> CandidateResult:
        """Return the result of one candidate, given the metrics of all."""
        own, predicted = metrics[name], self._predictions(results, False)
        differences = {
            baseline: _differences(own, metrics[baseline])
            for baseline in BASELINES
            if baseline in metrics and baseline != name
        }
        significant = {
            baseline: each.get("log_loss_gain", each["accuracy"]).low > 0
            for baseline, each in differences.items()
        }
        thresholds = self._concatenated(results, [np.full(len(r.labels), r.threshold) for r in results])
        confidence = predicted.probabilities.max(axis=1)
        levels = [float(np.quantile(confidence, 1 - share)) if share < 1 else 0.0 for share in COVERAGES]
        has = own.probabilistic
        return CandidateResult(
            name,
            own.estimates,
            self._held_out_metrics(results),
            differences,
            significant,
            tuple(_selective(predicted, confidence >= level, level) for level in levels) if has else (),
            _selective(predicted, confidence >= thresholds, float(np.mean([r.threshold for r in results]))),
            reliability(confidence, predicted.winner == predicted.labels) if has else (),
            *self._uncalibrated_errors(results, predicted),
            classwise_calibration_error(predicted.probabilities, predicted.labels) if has else 0.0,
            self._ece_if_calibrated(results) if has else None,
            coverages(results) if has else (),
            strategy_returns(
                positions(predicted.probabilities, thresholds),
                self._concatenated(results, [r.returns for r in results]),
                predicted.close_time,
                self._series(results),
                self._plan.rule,
                self._cost,
                self.block,
            ),
            tuple(round(r.temperature, 4) for r in results),
            self._importance(results),
            _verdict(own),
        )

    def _importance(self, results: Sequence[FoldResult]) -> tuple[PartResult, ...]:
        maps = [result.maps for result in results if result.maps is not None]
        return pooled(maps, self._names) if maps else ()

    def _uncalibrated_errors(
        self, results: Sequence[FoldResult], predicted: LabeledPredictions
    ) -> tuple[float, float]:
        """Return top-label and classwise ECE at temperature 1."""
        if not predicted.probabilistic:
            return 0.0, 0.0
        logits = [logits_of(r.probabilities, r.temperature) for r in results]
        uncalibrated = self._concatenated(results, [softmax(part, 1.0) for part in logits])
        return (
            expected_calibration_error(uncalibrated, predicted.labels),
            classwise_calibration_error(uncalibrated, predicted.labels),
        )

    def _ece_if_calibrated(self, results: Sequence[FoldResult]) -> IntervalEstimate:
        """Simulate with one seed, because all seeds share their outcomes."""
        predicted = self._predictions([r for r in results if r.task.seed == 0], False)
        return ece_if_calibrated(predicted, MetricEstimates(predicted, self.block).day)

    def _held_out_metrics(self, results: Sequence[FoldResult]) -> dict[str, IntervalEstimate]:
        if not self.held_out_symbols:
            return {}
        try:
            return self.metrics(results, held_out=True).estimates
        except TooFewDaysError:  # no metric is reported without an interval
            return {}

    def _predictions(self, results: Sequence[FoldResult], held_out: bool) -> LabeledPredictions:
        def of(parts: list[np.ndarray]) -> np.ndarray:
            return self._concatenated(results, parts, held_out)

        return LabeledPredictions(
            of([r.probabilities.astype(np.float64) for r in results]),
            of([r.labels for r in results]),
            of([self._close_time[r.task.fold] for r in results]),
            # Rounded as probabilities are, so that the prior saves exactly nothing against itself.
            of(
                [np.tile(r.shares.astype(np.float32).astype(np.float64), (len(r.labels), 1)) for r in results]
            ),
            results[0].probabilistic,
        )

    def _concatenated(
        self, results: Sequence[FoldResult], parts: Sequence[np.ndarray], held_out: bool = False
    ) -> np.ndarray:
        masks = [self._held_out[r.task.fold] == held_out for r in results]
        return np.concatenate([part[mask] for part, mask in zip(parts, masks, strict=True)])

    def _series(self, results: Sequence[FoldResult]) -> Ints:
        """Return a number for each symbol, seed and fold, between which no position is carried over, (n,)."""
        size = max(int(part.max()) for part in self._symbol) + 1
        numbers = [
            (r.task.fold * self._plan.seeds + r.task.seed) * size + self._symbol[r.task.fold].astype(np.int64)
            for r in results
        ]
        return self._concatenated(results, numbers)


def _differences(own: MetricEstimates, baseline: MetricEstimates) -> dict[str, IntervalEstimate]:
    differences = {"accuracy": own.difference(baseline, "accuracy")}
    if own.probabilistic and baseline.probabilistic:
        differences["log_loss_gain"] = own.difference(baseline, "log_loss_gain")
    return differences


def _verdict(metrics: MetricEstimates) -> SkillVerdict:
    """Return what the intervals of a candidate show; without a call that moved, nothing is known of direction."""
    if not metrics.probabilistic:
        return SkillVerdict.UNSPECIFIED
    flat, direction = (metrics.estimates[name].low for name in ("flat_gain", "direction_gain"))
    moved = metrics.estimates.get("moved_hit_rate", IntervalEstimate(0.5, 0.0, 1.0))
    return skill_verdict(flat, direction, moved.low, moved.high)


def _selective(predicted: LabeledPredictions, chosen: NDArray[np.bool_], level: float) -> SelectivePoint:
    winner, labels = predicted.winner[chosen], predicted.labels[chosen]
    calls = winner != Direction.FLAT
    hit, moved = winner == labels, labels != Direction.FLAT
    all_calls = int((predicted.winner != Direction.FLAT).sum())

    def share(of: Floats | NDArray[np.bool_]) -> float | None:
        return float(of.mean()) if len(of) else None

    return SelectivePoint(
        level,
        float(chosen.mean()),
        share(hit),
        share(hit[calls]),
        int(calls.sum()),
        share(moved[calls] / 2),
        calls.sum() / all_calls if all_calls else None,
    )
