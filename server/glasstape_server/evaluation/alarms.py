"""What must not happen, tried: a leak is far likelier than an edge."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from glasstape_server.evaluation.figures import Figures
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import LabelRule, future_paths
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import all_windows
from glasstape_server.training.dataset import each_series

TOO_GOOD = 0.45
"""Accuracy on three balanced classes of bars that is a leak until proven otherwise."""
MUCH = 0.05
"""Accuracy beyond the base rate without which nothing is too good."""
SYMBOLS = 20
"""Symbols whose future is changed."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One test for leaks."""

    name: str
    rang: bool
    text: str


def too_good(figures: Mapping[str, Figures]) -> Alarm:
    """Whether any candidate is better than bars allow, and not because one class is most of the test."""
    found = {name: figure.estimates["accuracy"].value for name, figure in figures.items()}
    best = max(found, key=lambda name: found[name])
    rang = [
        name
        for name, figure in figures.items()
        if found[name] > TOO_GOOD and figure.estimates["accuracy_gained"].value > MUCH
    ]
    text = (
        f"best accuracy is {found[best]:.2%} ({best}); above {TOO_GOOD:.0%} is a leak until proven otherwise"
    )
    return Alarm("too_good", bool(rang), text)


def shuffled(name: str, figures: Figures) -> Alarm:
    """Whether a candidate that learnt from labels in random order knows something all the same."""
    accuracy, gained = figures.estimates["accuracy_gained"], figures.estimates["log_loss_gained"]
    rang = accuracy.low > 0 and gained.low > 0
    text = (
        f"{name} on shuffled labels: accuracy {accuracy.value:+.2%} ({accuracy.low:+.2%} … {accuracy.high:+.2%}) "
        f"beyond the base rate, log loss gained {gained.value:+.4f} ({gained.low:+.4f} … {gained.high:+.4f})"
    )
    return Alarm("shuffled_labels", rang, text)


def future_perturbation(
    frame: pl.DataFrame, interval: str, spec: FeatureSpec, rule: LabelRule, time_zone: str, seed: int = 0
) -> Alarm:
    """Whether windows, volatilities or labels move when bars are changed that came later than what they may know.

    Raises:
        ValueError: no symbol is long enough to be tried.
    """
    random = np.random.default_rng(seed)
    names = frame["symbol"].unique().sort()
    chosen = random.choice(names.to_numpy(), min(SYMBOLS, len(names)), replace=False)
    moved, tried, compared = [], 0, 0
    for symbol, series in each_series(frame.filter(pl.col("symbol").is_in(chosen)), interval, time_zone):
        if len(series) < spec.min_bars + rule.bars_ahead + 2:
            continue
        at = int(random.integers(spec.min_bars, len(series) - rule.bars_ahead - 1))
        changed = _changed(series, at + 1, random)
        before, after = all_windows(spec, series), all_windows(spec, changed)
        past = int((before[1] <= at).sum())
        tried, compared = tried + 1, compared + past
        known = at - rule.bars_ahead + 1
        pairs: list[tuple[np.ndarray, np.ndarray]] = [
            (before[0][:past], after[0][:past]),
            (before[1][:past], after[1][:past]),
            (volatility(spec, series)[: at + 1], volatility(spec, changed)[: at + 1]),
            (future_paths(spec, rule, series)[:known], future_paths(spec, rule, changed)[:known]),
        ]
        if not all(np.array_equal(one, other, equal_nan=True) for one, other in pairs):
            moved.append(symbol)
    if not compared:
        raise ValueError(
            f"data: no symbol has the {spec.min_bars + rule.bars_ahead + 2} bars of a test for leaks"
        )
    what = f"moved in {', '.join(moved)}" if moved else "did not move"
    text = f"future bars changed in {tried} symbols: {compared} windows before them {what}"
    return Alarm("future_perturbation", bool(moved), text)


def _changed(series: Series, first: int, random: np.random.Generator) -> Series:
    """The same bars, but prices from `first` on are scaled and volumes redrawn."""

    def scaled(values: np.ndarray) -> np.ndarray:
        later = values.copy()
        later[first:] *= factor
        return later

    factor = np.exp(random.normal(0, 0.2, len(series) - first))
    volume = series.volume.copy()
    volume[first:] = random.permutation(volume[first:]) + 1
    return Series(
        series.close_time, scaled(series.open), scaled(series.high), scaled(series.low), scaled(series.close),
        volume, series.session,
    )  # fmt: skip
