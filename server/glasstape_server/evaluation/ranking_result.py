"""Result of the ranking tests of an evaluation."""

from dataclasses import dataclass

from glasstape_server.domain.statistics import IntervalEstimate

HEAD, CLASSES = "rank head", "p(UP) - p(DOWN)"
"""Ends of the names of a candidate's scores."""


@dataclass(frozen=True, slots=True)
class RankedScore:
    """Ranking figures of one score."""

    name: str
    """Candidate and what it ranks by, or the baseline."""
    metrics: dict[str, IntervalEstimate]
    """By name; see `domain.ranking.RankingEstimates.estimates`. Empty: it gives every symbol of a close one score."""
    differences: dict[str, IntervalEstimate]
    """Its Rank IC minus that of each other score on the same closes, by name: baselines and its model's classes."""


@dataclass(frozen=True, slots=True)
class RankingResult:
    """Ranking figures of all scores."""

    closes: int
    """Test closes with enough symbols; 0: too few for figures."""
    horizon_bars: int
    """Bars that a return covers."""
    top: int | None
    """Symbols of the top-k test; None: a tenth of those of the close."""
    scores: tuple[RankedScore, ...]
    reason: str = ""
    """Why there are no figures."""
