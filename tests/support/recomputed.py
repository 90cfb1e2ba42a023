"""Features, labels, folds and metrics of an evaluation, recomputed from bars with numpy and nothing of the server."""

import hashlib
import itertools

import numpy as np

DAY = 86_400_000_000


def average(values, span):
    """Exponential average of the last 2 x span values, renormalized; NaN before."""
    weights = (1 - 2 / (span + 1)) ** np.arange(2 * span)
    return np.array([np.nan] * (2 * span - 1) + [
        values[t - 2 * span + 1 : t + 1][::-1] @ weights / weights.sum() for t in range(2 * span - 1, len(values))
    ])  # fmt: skip


def windows_of(bars, horizon=1):
    """Windows (n, 6, 8), close times, times at which outcomes are known, volatilities and returns of one symbol.

    Args:
        bars: time, open, high, low, close, volume, (6, bar).
        horizon: bars of the return, from the next close.
    """
    time, opened, high, low, close, volume = bars
    log, ret = np.log(close), np.r_[np.nan, np.diff(np.log(close))]
    sigma = np.array(
        [np.sqrt(np.mean(ret[t - 19 : t + 1] ** 2)) if t >= 20 else np.nan for t in range(len(close))]
    )
    before = np.r_[np.nan, sigma[:-1]]
    macd = average(log, 12) - average(log, 26)
    rows = np.full((len(close), 8), np.nan)
    for t in range(68, len(close)):
        gain, loss = (np.maximum(sign * ret[t - 13 : t + 1], 0).mean() for sign in (1, -1))
        rows[t] = [
            *(np.log(price[t] / close[t - 1]) / before[t] for price in (opened, high, low, close)),
            np.log((volume[t] + 1) / (volume[t - 20 : t].mean() + 1)),
            np.log(close[t] / close[t - 19 : t + 1].mean()) / (before[t] * np.sqrt(20)),
            (gain - loss) / (gain + loss) if gain + loss else 0.0,
            (macd[t] - average(macd[t - 17 : t + 1], 9)[-1]) / before[t],
        ]
    last = np.arange(73, len(close) - 1 - horizon)
    windows = np.clip(rows[last[:, None] + np.arange(-5, 1)], -10, 10)
    return windows, time[last], time[last + 1 + horizon], sigma[last], log[last + 1 + horizon] - log[last + 1]


def folds_of(times, known, held_out, count):
    """Masks of training, validation and test windows of each fold."""
    closes = np.unique(times)
    edges = np.linspace(int(len(closes) * 0.5), len(closes), count + 1).astype(int)
    for start, end in itertools.pairwise(edges):
        validation = closes[int(start * 0.85)]
        training = (known < validation) & ~held_out
        validating = (times >= validation) & (known < closes[start]) & ~held_out
        yield training, validating, (times >= closes[start]) & (times <= closes[end - 1])


def is_held_out(symbol):
    """Whether a symbol is held out of training: by its hash, one of ten."""
    return int(hashlib.sha256(symbol.encode()).hexdigest()[:16], 16) % 10 == 0


def labels_of(returns, sigma, k):
    """Class indices: 0 DOWN, 1 FLAT, 2 UP."""
    return 1 + (returns > k * sigma).astype(int) - (returns < -k * sigma)


def metrics_of(stated, labels, prior):
    """Accuracy, base rate, ECE, the log loss gain in its parts, and the figures of calls. `prior` is of each window."""
    winner, rows = stated.argmax(axis=1), np.arange(len(labels))
    confidence, hit, call, moved = stated.max(axis=1), winner == labels, winner != 1, labels != 1
    bins = np.searchsorted(np.sort(confidence), confidence) * 15 // len(labels)
    gaps = [confidence[bins == b].sum() - hit[bins == b].sum() for b in range(15)]
    quiet = {name: np.where(moved, 1 - p[:, 1], p[:, 1]) for name, p in (("own", stated), ("prior", prior))}
    way = {name: p[rows, labels] / (1 - p[:, 1]) for name, p in (("own", stated), ("prior", prior))}
    hits, opposites = (call & hit).sum(), (call & moved & ~hit).sum()
    return {
        "accuracy": hit.mean(),
        "base_rate": (prior.argmax(axis=1) == labels).mean(),
        "ece": np.abs(gaps).sum() / len(labels),
        "log_loss_gain": np.log(stated[rows, labels] / prior[rows, labels]).mean(),
        "flat_gain": np.log(quiet["own"] / quiet["prior"]).mean(),
        "direction_gain": np.where(moved, np.log(way["own"] / way["prior"]), 0).mean(),
        "hit_rate": hits / call.sum(),
        "call_base_rate": (hits + opposites) / 2 / call.sum(),
        "edge": (hits - opposites) / call.sum(),
        "moved_hit_rate": hits / (hits + opposites),
    }
