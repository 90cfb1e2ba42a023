"""Permutation importance: how much worse a model predicts when it cannot see a part of the window.

Breiman (2001), "Random forests", section 10; Fisher, Rudin and Dominici (2019), "All models are wrong, but many are
useful", section 3.2: the values of the part are exchanged between the windows of the set, and the increase of the loss
is measured. Needs outcomes, unlike maps: a part that a model looks at in vain has importance, and no loss increase.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.explain.importance import Estimates, Part, Sample, parts_of
from glasstape_server.explain.method import Shape

REPEATS = 5
"""Permutations of each part."""


@dataclass(frozen=True, slots=True)
class Permuted:
    """Windows with the values of one part exchanged."""

    part: int
    """Position in `parts_of`."""
    windows: Float32s
    """`REPEATS` copies of all windows, one after the other, (REPEATS x n, time, feature)."""


def permuted(windows: Float32s, seed: int = 0) -> Iterator[Permuted]:
    """Yield, part by part, the windows with the values of that part taken from other windows.

    Args:
        windows: (n, time, feature), n at least 2.
        seed: of the permutations, which are the same for all parts.
    """
    donors = np.concatenate([_cycle(len(windows), seed + repeat) for repeat in range(REPEATS)])
    for number, part in enumerate(parts_of((windows.shape[1], windows.shape[2]))):
        copies = np.tile(windows, (REPEATS, 1, 1))
        index = _index(part)
        copies[index] = windows[donors][index]
        yield Permuted(number, copies)


def passes(shape: Shape) -> int:
    """Return the passes of permutation importance per window."""
    return REPEATS * len(parts_of(shape)) + 1


def losses(logits: Float32s, temperature: float, labels: Ints) -> Floats:
    """Return the log loss of each window, nats, (n,).

    Args:
        logits: (n, 3).
        temperature: of the calibration.
        labels: realized class indices, (n,).
    """
    scaled = logits.astype(np.float64) / temperature
    top = scaled.max(axis=1)
    return np.asarray(
        np.log(np.exp(scaled - top[:, None]).sum(axis=1)) + top - scaled[np.arange(len(labels)), labels]
    )


def loss_increase(original: Floats, logits: Float32s, temperature: float, labels: Ints) -> Floats:
    """Return the mean loss increase of each window, nats, (n,).

    Args:
        original: loss of each window, (n,).
        logits: of the windows of one `Permuted`, (REPEATS x n, 3).
        temperature: of the calibration.
        labels: realized class indices, (n,).
    """
    permuted_losses = losses(logits, temperature, np.tile(labels, REPEATS))
    return np.asarray(permuted_losses.reshape(REPEATS, -1).mean(axis=0) - original)


def estimate(increases: Floats, close_time: Ints, window_bars: int, seed: int = 0) -> Estimates:
    """Return the mean loss increase of each part with its interval.

    Args:
        increases: loss increase of each window for each part, nats, (n, part).
        close_time: close of each window's last bar, microseconds, (n,).
        window_bars: bars of a window.
        seed: of the bootstrap.
    """
    sample = Sample.of(increases, close_time, window_bars, seed)
    return sample.estimates(sample.means, sample.drawn_means)


def _cycle(count: int, seed: int) -> Ints:
    """Return a random permutation without fixed points (Sattolo 1986), (count,)."""
    order = np.random.default_rng(seed).permutation(count)
    donors = np.empty(count, dtype=np.int64)
    donors[order] = np.roll(order, 1)
    return donors


def _index(part: Part) -> tuple[slice | int, ...]:
    time = slice(None) if part.time is None else part.time
    feature = slice(None) if part.feature is None else part.feature
    return slice(None), time, feature
