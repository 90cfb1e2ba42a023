"""`glasstape bench drift`: when drift is reported, on replays of a model's own market and of others.

A market of daily bars is simulated: symbols share a factor, volatility and volume come in clusters, returns have heavy
tails. Mean, deviation and novelty statistics are computed from its first bars, as by `glasstape train`. Its following
sessions are replayed, and those of markets that the statistics are not of; each session is judged as by a server.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.statistics import wilson
from glasstape_server.domain.times import DAY
from glasstape_server.domain.training_reference import TrainingReference, persistence
from glasstape_server.evaluation.synthetic import FIRST_CLOSE, INTERVAL, RULE, SPEC
from glasstape_server.signals.performance.drift import MIN_SESSIONS, DriftWatch
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import TensorExamples

TRAINING, VALIDATION = 1000, 250
"""Sessions of the two parts."""
_DIGEST = "simulated"


@dataclass(frozen=True, slots=True)
class SimulatedBars:
    """How the bars of a simulated market come about. Volatility is in units of 1 % a day."""

    symbols: int = 24
    common: float = 0.3
    """Correlation of returns."""
    tails: float = 5.0
    """Degrees of freedom of returns."""
    clusters: float = 0.35
    """Standard deviation of the log volatility, half of it common to all symbols."""
    persistence: float = 0.95
    """Of log volatility and log volume from session to session."""
    gap: float = 0.4
    """Overnight return, as a share of the volatility."""
    wicks: float = 0.4
    """High and low beyond open and close, as a share of the volatility."""
    volumes: float = 0.4
    """Standard deviation of the log volume within a session."""

    def frame(self, sessions: int, seed: int) -> pl.DataFrame:
        """Return bars, as `market.files.read_bars` returns them."""
        random = np.random.default_rng(seed)
        shape = (sessions, self.symbols)

        def clustered() -> Floats:
            common = _autoregressive(random.standard_normal((sessions, 1)), self.persistence)
            own = _autoregressive(random.standard_normal(shape), self.persistence)
            return np.asarray((common + own) / np.sqrt(2))

        sigma = 0.01 * np.exp(self.clusters * clustered())
        shock = np.sqrt(self.common) * random.standard_t(self.tails, (sessions, 1))
        shock = shock + np.sqrt(1 - self.common) * random.standard_t(self.tails, shape)
        overnight = self.gap * sigma * random.standard_normal(shape)
        close = 100 * np.exp(np.cumsum(overnight + sigma * shock, axis=0))
        opened = np.vstack([np.full((1, self.symbols), 100.0), close[:-1]]) * np.exp(overnight)
        beyond = np.abs(self.wicks * sigma * random.standard_normal((2, *shape)))
        volume = np.exp(
            12 + 0.3 * clustered() + self.volumes * random.standard_normal(shape) + 0.1 * np.abs(shock)
        )
        columns = {
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(beyond[0]),
            "low": np.minimum(opened, close) * np.exp(-beyond[1]),
            "close": close,
            "volume": np.floor(volume),
        }
        return pl.DataFrame(
            {
                "symbol": np.repeat([f"S{number:05d}" for number in range(self.symbols)], sessions),
                "close_time": np.tile(FIRST_CLOSE + DAY * np.arange(sessions), self.symbols),
                **{name: values.T.ravel() for name, values in columns.items()},
            }
        )

    def data(self, sessions: int, seed: int) -> Dataset:
        """Return the windows of so many sessions, in order, after those that the first ones look back to."""
        frame = self.frame(SPEC.min_bars + sessions + RULE.horizon_bars, seed)
        return dataset.build(frame, INTERVAL, SPEC, RULE)


HOME = SimulatedBars()
"""The market of the statistics."""
OTHERS = {
    "without pauses, longer shadows": replace(HOME, gap=0.02, wicks=1.0, tails=3.0),
    "thin: erratic volume, wide gaps": replace(HOME, volumes=1.5, gap=1.2, tails=3.0),
    "wild: volatility comes in bursts": replace(HOME, clusters=1.0, persistence=0.8, tails=3.0),
}
"""Markets that the statistics are not of."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a model keeps of its training windows."""

    reference: TrainingReference
    center: Floats
    precision: Floats
    quantiles: Floats

    @classmethod
    def of(cls, data: Dataset) -> "Statistics":
        """Return the statistics of the first `TRAINING` sessions, with the quantiles of the next `VALIDATION`."""
        session = _session(data)
        training = data.select(session < TRAINING).windows()
        validation = data.select((session >= TRAINING) & (session < TRAINING + VALIDATION)).windows()
        mean, deviation = training.mean(axis=(0, 1)), training.std(axis=(0, 1))
        examples = [
            TensorExamples(
                torch.from_numpy((part - mean) / deviation), torch.zeros(len(part), dtype=torch.int64)
            )
            for part in (training, validation)
        ]
        center, precision, quantiles = (
            tensor.double().numpy() for tensor in calibrate.novelty_statistics(*examples)
        )
        reference = TrainingReference(
            tuple(SPEC.names),
            mean.astype(np.float64),
            deviation.astype(np.float64),
            persistence(np.linalg.inv(precision), SPEC.window_bars),
            TRAINING,
        )
        return cls(reference, center, precision, quantiles)

    def novelty(self, windows: Float32s) -> Floats:
        """Return the novelty of windows, as `models.model.Model.novelty` does, (n,)."""
        normalized = (windows - self.reference.mean) / self.reference.deviation
        offset = normalized.reshape(len(windows), -1) - self.center
        distance = np.sqrt(np.einsum("ni,ni->n", offset @ self.precision, offset))
        return np.asarray(np.interp(distance, self.quantiles, np.linspace(0, 1, len(self.quantiles))))

    def first_alarm(self, data: Dataset, first: int) -> int | None:
        """Return how many sessions from `first` on a replay takes until drift is reported; None: it is not."""
        watch = DriftWatch(lambda digest: self.reference)
        session, windows = _session(data), data.windows()
        novelty = self.novelty(windows)
        for number in range(first, int(session.max()) + 1):
            rows = np.flatnonzero(session == number)
            watch.add(_DIGEST, data.close_time[rows], novelty[rows], list(windows[rows, -1]))
            watch.judge()
            verdict = watch.of(_DIGEST)
            if verdict is not None and verdict.drifted:
                return number - first + 1
        return None


def stationary(replays: int, sessions: int) -> list[int | None]:
    """Return the first alarm of each replay of the sessions that follow a model's own."""
    first = TRAINING + VALIDATION
    alarms = []
    for seed in range(replays):
        data = HOME.data(first + sessions, seed)
        alarms.append(Statistics.of(data).first_alarm(data, first))
    return alarms


def foreign(market: SimulatedBars, replays: int, sessions: int) -> list[int | None]:
    """Return the first alarm of each replay of another market."""
    statistics = [Statistics.of(HOME.data(TRAINING + VALIDATION, seed)) for seed in range(min(replays, 10))]
    return [
        statistics[seed % len(statistics)].first_alarm(market.data(sessions, 1000 + seed), 0)
        for seed in range(replays)
    ]


def run(replays: int, sessions: int) -> str:
    """Return the table of `glasstape bench drift`.

    Args:
        replays: of each market.
        sessions: of each replay.
    """
    return "\n".join(_lines(replays, sessions))


def _lines(replays: int, sessions: int) -> Iterator[str]:
    yield f"| replay of | replays | drift reported within {MIN_SESSIONS} sessions | 95 % interval | within {sessions} |"
    yield "|---|---|---|---|---|"
    yield _row("the model's own market", stationary(replays, sessions))
    for name, market in OTHERS.items():
        yield _row(f"another market: {name}", foreign(market, replays, sessions))


def _row(name: str, alarms: list[int | None]) -> str:
    early = sum(alarm is not None and alarm <= MIN_SESSIONS for alarm in alarms)
    low, high = wilson(early, len(alarms))
    reported = sum(alarm is not None for alarm in alarms)
    return f"| {name} | {len(alarms)} | {early} | {100 * low:.0f} … {100 * high:.0f} % | {reported} |"


def _session(data: Dataset) -> Floats:
    """Return the number of the session of each window, from 0, (n,)."""
    return np.asarray((data.close_time - data.close_time.min()) // DAY)


def _autoregressive(noise: Floats, persistence: float) -> Floats:
    """Return stationary first-order autoregressive series of unit variance, (session, symbol)."""
    values = noise.copy()
    for number in range(1, len(values)):
        values[number] = persistence * values[number - 1] + np.sqrt(1 - persistence**2) * noise[number]
    return values
