"""Means of observations that come in sessions, with intervals that allow for dependence between sessions."""

import math
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.statistics import IntervalEstimate, student_quantile, student_tail

MIN_COSINES = 4
"""Cosines of the variance estimate, at least."""
SESSIONS_PER_COSINE = 4
"""Sessions per cosine: the shortest period is then about eight sessions, and dependence within it is allowed for."""


@dataclass(frozen=True, slots=True)
class SessionMean:
    """A mean over sessions, with its standard error."""

    value: float
    error: float
    """Infinite with `MIN_COSINES` sessions or fewer."""
    degrees: int
    """Degrees of freedom of the standard error."""

    def interval(self, level: float, bounds: tuple[float, float]) -> IntervalEstimate:
        """Return Student's interval, cut at the bounds of the figure."""
        low, high = bounds
        if math.isfinite(self.error):
            half = student_quantile((1 + level) / 2, self.degrees) * self.error
            low, high = max(low, self.value - half), min(high, self.value + half)
        return IntervalEstimate(self.value, low, high)

    def p_above(self, limit: float) -> float:
        """Return the p-value of the hypothesis that the mean is at most a limit."""
        if not math.isfinite(self.error):
            return 1.0
        if self.error == 0:
            return float(self.value <= limit)
        return float(student_tail(np.array([(self.value - limit) / self.error]), self.degrees)[0])


def session_mean(sums: Floats, counts: Floats, least_variance: float = 0.0) -> SessionMean:
    """Return the mean of observations in consecutive sessions.

    The variance is the mean of squared projections of the sessions' residuals on the first cosines, which keeps the
    dependence between neighboring sessions: the equal-weighted cosine estimate. Lazarus, Lewis, Stock and Watson
    (2018), "HAR inference: recommendations for practice", section 2.

    Args:
        sums: sum of each session, in order, (session,).
        counts: observations of each session, (session,); one observation or more in all.
        least_variance: variance of the mean if observations were independent; the estimate is not below it.
    """
    total, sessions = float(counts.sum()), len(sums)
    value = float(sums.sum()) / total
    degrees = max(MIN_COSINES, sessions // SESSIONS_PER_COSINE)
    if sessions <= MIN_COSINES:
        return SessionMean(value, math.inf, degrees)
    phase = np.pi * np.outer(np.arange(1, degrees + 1), np.arange(sessions) + 0.5) / sessions
    projections = math.sqrt(2 / sessions) * np.cos(phase) @ (sums - value * counts)
    variance = sessions * float((projections**2).mean()) / total**2
    return SessionMean(value, math.sqrt(max(variance, least_variance)), degrees)
