"""Result of an evaluation."""

from dataclasses import dataclass

from glasstape.skill import SkillVerdict

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation.conformal import SetCoverage
from glasstape_server.evaluation.leak_checks import LeakCheck
from glasstape_server.evaluation.network_importance import PartResult
from glasstape_server.evaluation.ranking_result import RankingResult
from glasstape_server.evaluation.strategy_returns import StrategyReturns
from glasstape_server.models.manifest import Reliability


@dataclass(frozen=True, slots=True)
class SelectivePoint:
    """Accuracy on the windows of highest confidence."""

    confidence: float
    """Confidence threshold."""
    coverage: float
    """Share of all windows, 0-1."""
    accuracy: float | None
    """None: there are no such windows."""
    hit_rate: float | None
    """Accuracy of UP and DOWN predictions; None: there are none."""
    calls: int
    """Number of UP and DOWN predictions."""
    base_rate: float | None = None
    """(hits + opposites) / (2 calls): the hit rate of these calls without knowledge of the direction."""
    kept_calls: float | None = None
    """Share of all UP and DOWN predictions, 0-1; None: there are none."""


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """Result of one candidate."""

    name: str
    metrics: dict[str, IntervalEstimate]
    """On symbols that were trained on."""
    held_out: dict[str, IntervalEstimate]
    """On held-out symbols; empty if there are none, or too few days."""
    differences: dict[str, dict[str, IntervalEstimate]]
    """Baseline -> metric -> improvement over it: accuracy and, if both predict probabilities, log_loss_gain."""
    significant: dict[str, bool]
    """Baseline -> whether the interval of the improvement is above 0, in log loss if available, else in accuracy."""
    selective: tuple[SelectivePoint, ...]
    """At several coverages, highest first; empty for a candidate without probabilities."""
    abstaining: SelectivePoint
    """At the thresholds fitted on validation windows."""
    reliability: tuple[Reliability, ...]
    ece_uncalibrated: float
    """Top-label ECE at temperature 1."""
    classwise_ece_uncalibrated: float
    classwise_ece: float
    ece_if_calibrated: IntervalEstimate | None
    """ECE of simulated, perfectly calibrated outcomes with the same clustering by day."""
    conformal: tuple[SetCoverage, ...]
    returns: StrategyReturns
    temperatures: tuple[float, ...]
    """Of each fold and seed."""
    importance: tuple[PartResult, ...]
    """What a network looks at: its features, bars and cells; empty for other candidates."""
    verdict: SkillVerdict
    """What the intervals of both parts and of `moved_hit_rate` show; UNSPECIFIED without probabilities."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of all candidates."""

    windows: int
    tested: int
    """Test windows of symbols that were trained on."""
    tested_held_out: int
    """Test windows of held-out symbols."""
    symbols: int
    held_out: tuple[str, ...]
    """Held-out symbols."""
    days: int
    """Test days."""
    block: int
    """Days per bootstrap block of the intervals."""
    class_shares: tuple[float, float, float]
    """Of the test windows."""
    thresholds: tuple[float, ...]
    """Threshold k of the label rule in each fold."""
    candidates: tuple[CandidateResult, ...]
    leak_checks: tuple[LeakCheck, ...]
    ranking: RankingResult
    """How candidates and baselines rank the symbols of a close."""
