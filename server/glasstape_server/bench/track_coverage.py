"""`glasstape bench track`: whether the intervals of a track record cover a known edge.

Outcomes are simulated as those of a model that knows which bars are quiet and calls the others: symbols of one session
move together, calls of neighboring sessions lean the same way, and labels longer than a bar overlap. The direction that
was called comes more often than the opposite by the stated edge, in every bar. `track_replay` adds markets of bars that
the bundled model is run on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from glasstape_server.bench import track_replay
from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Confidence, Direction, ModelRef, Outcome
from glasstape_server.domain.skill import CallRecord
from glasstape_server.domain.statistics import wilson
from glasstape_server.domain.times import DAY
from glasstape_server.signals.performance.track_record import Scored, track_record

EDGES = (0.0, 0.02)
"""Known edges: (hits - opposites) / calls."""
VOLATILITIES = (0.6, 1.6)
"""Of quiet and of other bars, in units of the label rule's."""
THRESHOLD = 0.43
"""|return| in units of volatility up to which a bar is FLAT: about a third of them."""
PERSISTENCE = 0.5
"""Correlation of the calls' lean in neighboring sessions."""
_MODEL = ModelRef("simulated", "1", "0" * 64, "0" * 64)
_CONFIDENCES = {
    Direction.DOWN: Confidence(0.4, 0.3, 0.3, False, 0.0),
    Direction.FLAT: Confidence(0.3, 0.4, 0.3, False, 0.0),
    Direction.UP: Confidence(0.3, 0.3, 0.4, False, 0.0),
}


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """Size and dependence of a simulated market."""

    sessions: int = 60
    symbols: int = 20
    horizon: int = 1
    """Sessions over which an outcome's return is measured."""
    correlation: float = 0.3
    """Of the returns of two symbols in one session."""

    def outcomes(self, edge: float, seed: int) -> list[Scored]:
        """Return the outcomes of one market.

        Args:
            edge: expected (hits - opposites) / calls, 0 or more.
            seed: of the market.
        """
        random = np.random.default_rng(seed)
        shape = (self.sessions, self.symbols)
        loud = random.random(shape) < 0.5
        side = self._calls(loud, random)
        shifts = np.array([_shift(edge, volatility) for volatility in VOLATILITIES])
        spread = np.where(loud, VOLATILITIES[1], VOLATILITIES[0])
        returns = spread * self._returns(random) + side * shifts[loud.astype(np.int64)]
        realized = (returns > THRESHOLD).astype(np.int64) - (returns < -THRESHOLD)
        return [
            self._scored(session, symbol, Direction(int(side[session, symbol]) + 1),
                         Direction(int(realized[session, symbol]) + 1), float(returns[session, symbol]))
            for session in range(self.sessions) for symbol in range(self.symbols)
        ]  # fmt: skip

    def _returns(self, random: np.random.Generator) -> Floats:
        """Return standard normal returns over the horizon, (session, symbol)."""
        steps = self.sessions + self.horizon - 1
        shared = random.standard_normal((steps, 1))
        own = random.standard_normal((steps, self.symbols))
        each = np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * own
        summed = np.cumsum(np.concatenate([np.zeros((1, self.symbols)), each]), axis=0)
        return np.asarray((summed[self.horizon :] - summed[: -self.horizon]) / np.sqrt(self.horizon))

    def _calls(self, loud: np.ndarray, random: np.random.Generator) -> Ints:
        """Return -1 for DOWN, 0 for FLAT and 1 for UP, (session, symbol): quiet bars are mostly called FLAT."""
        lean = np.zeros(self.sessions)
        for session in range(1, self.sessions):
            lean[session] = PERSISTENCE * lean[session - 1] + random.standard_normal()
        up = random.random(loud.shape) < ndtr(lean)[:, None]
        called = random.random(loud.shape) < np.where(loud, 0.9, 0.2)
        return np.where(called, np.where(up, 1, -1), 0)

    def _scored(
        self, session: int, symbol: int, predicted: Direction, realized: Direction, log_return: float
    ) -> Scored:
        close = (20_000 + session) * DAY
        outcome = Outcome(1, close, predicted, realized, log_return, _CONFIDENCES[predicted])
        return Scored(f"S{symbol:03d}", _MODEL, outcome, close + (1 + self.horizon) * DAY)


def _shift(edge: float, volatility: float) -> float:
    """Return the shift of a normal return by which the called direction comes more often by `edge`."""

    def beyond(shift: float) -> float:
        up, down = (ndtr((sign * shift - THRESHOLD) / volatility) for sign in (1, -1))
        return float(up - down) - edge

    return 0.0 if edge == 0 else float(brentq(beyond, 0.0, 5.0))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals covered the truth."""

    edge: float
    markets: int
    covered: int
    mean: float
    """Mean edge shown."""
    mean_width: float
    """Mean width of its interval."""
    above_all_bars: float
    """Mean hit rate above that of the same calls on all bars, which is no edge."""

    @classmethod
    def of(cls, edge: float, records: Sequence[CallRecord], on_all_bars: Sequence[float]) -> "Coverage":
        """Return the coverage of the edge by the intervals of some records.

        Args:
            edge: the truth.
            records: of each market.
            on_all_bars: expected hit rate of each market's calls if they were assigned at random to all bars.
        """
        shown = [record.edge for record in records]
        return cls(
            edge,
            len(shown),
            sum(each.low <= edge <= each.high for each in shown),
            float(np.mean([each.value for each in shown])),
            float(np.mean([each.high - each.low for each in shown])),
            float(np.mean([r.hit_rate.value for r in records]) - np.mean(on_all_bars)),
        )

    def row(self, name: str) -> str:
        """Return one row of a table in Markdown."""
        low, high = wilson(self.covered, self.markets)
        return (
            f"| {name} | {100 * self.edge:+.1f} | {self.covered:,} of {self.markets:,} | {low:.1%} … {high:.1%} | "
            f"{100 * self.mean:+.2f} | {100 * self.mean_width:.2f} | {100 * self.above_all_bars:+.2f} |"
        )


def measure(market: SimulatedMarket, edge: float, markets: int) -> Coverage:
    """Return how many of some markets, seeds 0 to `markets` - 1, have an interval that covers the edge."""
    return _measured(edge, [market.outcomes(edge, seed) for seed in range(markets)])


def measure_replays(edge: float, markets: int) -> Coverage:
    """Return the same of the bundled model's calls on bars of noise, to which the edge is added."""
    return _measured(edge, [track_replay.outcomes(edge, seed) for seed in range(markets)])


def _measured(edge: float, outcomes: Iterable[Sequence[Scored]]) -> Coverage:
    records, on_all_bars = [], []
    for scored in outcomes:
        (row,) = (row for row in track_record(scored).records if row.predicted is None)
        realized = np.array([item.outcome.realized for item in scored])
        called = np.array([item.outcome.predicted for item in scored])
        share = np.bincount(realized, minlength=3) / len(realized)
        records.append(row.calls)
        on_all_bars.append(float(share[called[called != Direction.FLAT]].mean()))
    return Coverage.of(edge, records, on_all_bars)


def run(markets: int, sessions: int, symbols: int) -> str:
    """Measure coverage for each edge, with labels of one session and of five; return a table in Markdown.

    Args:
        markets: simulated markets of each kind; a tenth as many with bars.
        sessions: of each market.
        symbols: of each market.
    """
    lines = [
        "| outcomes | edge (points) | intervals that contain it | 95 % interval of that share | mean edge shown "
        "| mean width | hit rate above that on all bars |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for horizon in (1, 5):
        market = SimulatedMarket(sessions, symbols, horizon)
        lines += [measure(market, edge, markets).row(f"simulated, horizon {horizon}") for edge in EDGES]
    lines += [
        measure_replays(edge, max(1, markets // 10)).row("bundled model, bars of noise") for edge in EDGES
    ]
    return "\n".join(lines)
