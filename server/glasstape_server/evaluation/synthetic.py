"""Synthetic market with a known signal, to verify the whole pipeline against the Bayes accuracy.

Returns are generated bar by bar with the real feature code: r[t+1] = sigma[t] * (g(window[t]) + e), e ~ N(0, 1 - g^2).
sigma[t] is the volatility of the label rule, so that returns have unit variance in it for any g. Labels look one bar
ahead from the current close, so that P(UP | window) = 1 - Phi((k - g) / sqrt(1 - g^2)) exactly, which gives the Bayes
accuracy: the highest that any classifier can reach.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy.special import ndtr

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.signals import Entry
from glasstape_server.domain.times import DAY
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.series import from_columns
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import latest_windows

INTERVAL = "1d"
SPEC = FeatureSpec()
"""Features whose windows the signals are functions of."""
FIRST_CLOSE = 18_000 * DAY
RULE = LabelRule(entry=Entry.CURRENT_CLOSE)
"""Enters at the current close, where the generated return starts."""
STRENGTH = 0.8
"""Largest |g|."""
START = 0.01
"""Volatility of the first bars, which have too little history for a window."""

Signal = Callable[[Float32s], Floats]
"""Windows (n, time, feature), float32 -> g, -1 to 1, (n,)."""


def known_signal(windows: Float32s) -> Floats:
    """Return a signal of several interacting cells: last return times volume, and the preceding bars, (n,)."""
    column = SPEC.names.index
    last = windows[:, -1, column("close_return")] * np.tanh(windows[:, -1, column("relative_volume")] * 2)
    before = windows[:, -3:, column("rsi")].mean(axis=1)
    return np.asarray(STRENGTH * np.tanh(1.2 * last - 2.0 * before), dtype=np.float64)


def no_signal(windows: Float32s) -> Floats:
    """Return 0 for all windows (n,): returns are noise."""
    return np.zeros(len(windows))


def market(signal: Signal, symbols: int, bars: int, seed: int) -> pl.DataFrame:
    """Generate the bars of a market, as `market.files.read_bars` returns them.

    Args:
        signal: g.
        symbols: number of symbols; all have the same close times.
        bars: number of bars per symbol.
        seed: of the random numbers.
    """
    random, spec = np.random.default_rng(seed), SPEC
    close_time = FIRST_CLOSE + DAY * np.arange(bars)
    columns = np.zeros((5, symbols, bars))
    price, volume = np.full(symbols, 100.0), np.exp(random.normal(12, 0.5, symbols))
    for bar in range(bars):
        sigma, g = np.full(symbols, START), np.zeros(symbols)
        if bar >= spec.min_bars:
            # `latest_windows` needs more bars than the look-back alone.
            recent = slice(max(0, bar - spec.min_bars), bar)
            times = np.broadcast_to(close_time[recent], (symbols, recent.stop - recent.start))
            past = from_columns(times, columns[:, :, recent], times)
            windows, usable = latest_windows(spec, past)
            g = np.where(usable, signal(windows), 0.0)
            sigma = volatility(spec, past)[:, -1]
        moved = sigma * (g + np.sqrt(1 - g**2) * random.standard_normal(symbols))
        opened = price * np.exp(0.2 * sigma * random.standard_normal(symbols))
        price = price * np.exp(moved)
        around = np.abs(0.3 * sigma[None] * random.standard_normal((2, symbols)))
        columns[:, :, bar] = (
            opened,
            np.maximum(opened, price) * np.exp(around[0]),
            np.minimum(opened, price) * np.exp(-around[1]),
            price,
            np.floor(volume * np.exp(0.4 * random.standard_normal(symbols))),
        )
    names = [f"S{number:05d}" for number in range(symbols)]
    return pl.DataFrame(
        {
            "symbol": np.repeat(names, bars),
            "close_time": np.tile(close_time, symbols),
            **{
                n: c.ravel() for n, c in zip(("open", "high", "low", "close", "volume"), columns, strict=True)
            },
        }
    )


def probabilities(signal: Signal, windows: Float32s, k: float) -> Floats:
    """Return the true probabilities of DOWN, FLAT and UP, (n, 3).

    Args:
        signal: g.
        windows: (n, time, feature), float32.
        k: threshold of the label rule.
    """
    g = signal(windows)
    spread = np.sqrt(1 - g**2)
    down, up = ndtr((-k - g) / spread), 1 - ndtr((k - g) / spread)
    return np.stack([down, 1 - down - up, up], axis=1)
