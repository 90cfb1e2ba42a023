"""Checks for information leaks from the future into features, labels or training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.evaluation.metrics import MetricEstimates
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import LabelRule, future_paths
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import all_windows
from glasstape_server.training import dataset
from glasstape_server.training.usable_bars import UsableBars

MAX_ACCURACY = 0.45
"""Accuracy on three balanced classes of bars above which a leak is likely."""
MIN_GAIN = 0.05
"""Accuracy gain over the base rate below which a high accuracy is no evidence of a leak."""
SYMBOLS = 20
"""Symbols whose future bars are perturbed."""


def _windows(spec: FeatureSpec, series: Series) -> tuple[Float32s, Ints]:
    """Return the windows of one symbol's bars; ranked features hold the values to rank."""
    return all_windows(spec, series, lambda closes, values: values)


WindowFunction = Callable[[FeatureSpec, Series], tuple[Float32s, Ints]]
"""Returns windows (n, time, feature) of bars, and the numbers of their last bars, (n,)."""


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """Result of one check."""

    name: str
    failed: bool
    text: str


def implausible_accuracy(metrics: Mapping[str, MetricEstimates]) -> LeakCheck:
    """Check that no candidate is implausibly accurate, unless the test windows are mostly of one class."""
    accuracy = {name: own.estimates["accuracy"].value for name, own in metrics.items()}
    best = max(accuracy, key=lambda name: accuracy[name])
    failed = any(
        accuracy[name] > MAX_ACCURACY and own.estimates["accuracy_gain"].value > MIN_GAIN
        for name, own in metrics.items()
    )
    text = f"best accuracy is {accuracy[best]:.2%} ({best}); above {MAX_ACCURACY:.0%} a leak is likely"
    return LeakCheck("implausible_accuracy", failed, text)


def shuffled_labels(name: str, metrics: MetricEstimates) -> LeakCheck:
    """Check that a candidate trained on shuffled labels has no skill."""
    accuracy, gain = metrics.estimates["accuracy_gain"], metrics.estimates["log_loss_gain"]
    failed = accuracy.low > 0 and gain.low > 0
    text = (
        f"{name} on shuffled labels: accuracy {accuracy.value:+.2%} ({accuracy.low:+.2%} … {accuracy.high:+.2%}) "
        f"above the base rate, log loss gain {gain.value:+.4f} ({gain.low:+.4f} … {gain.high:+.4f})"
    )
    return LeakCheck("shuffled_labels", failed, text)


def future_perturbation(
    frame: pl.DataFrame,
    interval: str,
    spec: FeatureSpec,
    rule: LabelRule,
    time_zone: str,
    seed: int = 0,
    windows_of: WindowFunction = _windows,
) -> LeakCheck:
    """Check that perturbing future bars changes no earlier window, volatility or label.

    Args:
        frame: bars with columns symbol, close_time, open, high, low, close and volume.
        interval: of the bars.
        spec: of the features.
        rule: label rule.
        time_zone: of trading days.
        seed: of the perturbation.
        windows_of: function to check.

    Raises:
        ValueError: no symbol has enough bars.
    """
    random = np.random.default_rng(seed)
    names = frame["symbol"].unique().sort()
    chosen = random.choice(names.to_numpy(), min(SYMBOLS, len(names)), replace=False)
    changed_symbols, tested, compared = [], 0, 0
    bars = UsableBars.of(frame.filter(pl.col("symbol").is_in(chosen)))
    for symbol, series, _ in bars.each_series(interval, time_zone):
        if len(series) < spec.min_bars + rule.bars_ahead + 2:
            continue
        at = int(random.integers(spec.min_bars, len(series) - rule.bars_ahead - 1))
        perturbed = _perturbed(series, at + 1, random)
        before, after = windows_of(spec, series), windows_of(spec, perturbed)
        past = int((before[1] <= at).sum())
        tested, compared = tested + 1, compared + past
        known = at - rule.bars_ahead + 1
        pairs: list[tuple[np.ndarray, np.ndarray]] = [
            (before[0][:past], after[0][:past]),
            (before[1][:past], after[1][:past]),
            (volatility(spec, series)[: at + 1], volatility(spec, perturbed)[: at + 1]),
            (future_paths(spec, rule, series)[:known], future_paths(spec, rule, perturbed)[:known]),
        ]
        if not all(np.array_equal(one, other, equal_nan=True) for one, other in pairs):
            changed_symbols.append(symbol)
    if not compared:
        raise ValueError(
            f"data: no symbol has {spec.min_bars + rule.bars_ahead + 2} bars, which the leak check requires"
        )
    effect = f"changed in {', '.join(changed_symbols)}" if changed_symbols else "did not change"
    text = f"future bars perturbed in {tested} symbols: {compared} earlier windows {effect}"
    failed = bool(changed_symbols)
    if spec.ranked_names:
        unchanged, together = _same_ranks(bars, interval, spec, rule, time_zone, random)
        failed = failed or not unchanged
        effect = "did not change" if unchanged else "changed"
        text += f"; in all at once, and one symbol ended: {together} earlier windows with ranks {effect}"
    return LeakCheck("future_perturbation", failed, text)


def _same_ranks(
    bars: UsableBars,
    interval: str,
    spec: FeatureSpec,
    rule: LabelRule,
    time_zone: str,
    random: np.random.Generator,
) -> tuple[bool, int]:
    """Perturb all bars after one time, without those of one symbol.

    Returns:
        Whether all windows of the others up to then are the same, and their number.
    """
    frame = bars.frame
    times = frame["close_time"].unique().sort()
    at = int(times[int(random.integers(len(times) // 2, len(times)))])
    later = frame["close_time"].to_numpy() > at
    factor = np.where(later, np.exp(random.normal(0, 0.2, len(later))), 1.0)
    ended = str(random.choice(frame["symbol"].unique().sort().to_numpy()))
    prices = ("open", "high", "low", "close")
    perturbed = frame.with_columns([pl.col(name) * pl.Series(factor) for name in prices])
    perturbed = perturbed.filter(~pl.Series(later) | (pl.col("symbol") != ended))
    before, after = (
        _until(dataset.build(each, interval, spec, rule, time_zone), at, ended) for each in (frame, perturbed)
    )
    same = np.array_equal(before.close_time, after.close_time) and np.array_equal(
        before.windows(), after.windows()
    )
    return same, len(before)


def _until(data: dataset.Dataset, at: int, without: str) -> dataset.Dataset:
    return data.select((data.close_time <= at) & (np.array(data.symbols)[data.symbol] != without))


def _perturbed(series: Series, first: int, random: np.random.Generator) -> Series:
    """Return the series with prices scaled and volumes permuted from bar `first` on."""

    def scaled(values: np.ndarray) -> np.ndarray:
        copy = values.copy()
        copy[first:] *= factor
        return copy

    factor = np.exp(random.normal(0, 0.2, len(series) - first))
    volume = series.volume.copy()
    volume[first:] = random.permutation(volume[first:]) + 1
    return Series(
        series.close_time, scaled(series.open), scaled(series.high), scaled(series.low), scaled(series.close),
        volume, series.session, series.time_zone,
    )  # fmt: skip
