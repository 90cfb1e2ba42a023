"""A market with a known signal: what the pipeline must find, to the last percentage point.

Bar by bar, through the real feature code, r[t+1] = sigma[t] * (g(window[t]) + e), e ~ N(0, 1 - g^2): sigma[t] is
the very volatility that labels are measured in, so a return has unit variance in it whatever g says. Labels look
one bar ahead from the current close, so P(UP | window) = 1 - Phi((k - g) / sqrt(1 - g^2)) exactly, and with it the
accuracy that no classifier can beat (the Bayes accuracy).
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy.special import ndtr

from glasstape_server.domain.values import DAY, Entry, Float32s, Floats
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
"""The current close, because that is where the known return starts."""
STRENGTH = 0.8
"""Largest |g|."""
START = 0.01
"""Volatility of the first bars, which have no window yet."""

Signal = Callable[[Float32s], Floats]
"""g of windows (n, time, feature), (n,), within -1 .. 1."""


def known_signal(windows: Float32s) -> Floats:
    """A signal of several cells that no single one shows: last return against its volume, and the bars before."""
    column = SPEC.names.index
    last = windows[:, -1, column("close_return")] * np.tanh(windows[:, -1, column("relative_volume")] * 2)
    before = windows[:, -3:, column("rsi")].mean(axis=1)
    return np.asarray(STRENGTH * np.tanh(1.2 * last - 2.0 * before), dtype=np.float64)


def no_signal(windows: Float32s) -> Floats:
    """Nothing: returns are noise."""
    return np.zeros(len(windows))


def market(signal: Signal, symbols: int, bars: int, seed: int) -> pl.DataFrame:
    """Bars of a made-up market, as `market.files.read_bars` gives them.

    Args:
        signal: g.
        symbols: symbols of the market, all of which close together.
        bars: bars of each.
        seed: of everything that is drawn.
    """
    random, spec = np.random.default_rng(seed), SPEC
    close_time = FIRST_CLOSE + DAY * np.arange(bars)
    columns = np.zeros((5, symbols, bars))
    price, volume = np.full(symbols, 100.0), np.exp(random.normal(12, 0.5, symbols))
    for bar in range(bars):
        sigma, g = np.full(symbols, START), np.zeros(symbols)
        if bar >= spec.min_bars:
            # The oldest features need one bar more than they are made of, so a few more are given.
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
    """The true probabilities of DOWN, FLAT and UP of windows, (n, 3)."""
    g = signal(windows)
    spread = np.sqrt(1 - g**2)
    down, up = ndtr((-k - g) / spread), 1 - ndtr((k - g) / spread)
    return np.stack([down, 1 - down - up, up], axis=1)
