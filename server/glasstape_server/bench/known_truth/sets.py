"""The known-truth sets by name.

In sets of blocks and spikes, the shifted cells are salient, because no other cell depends on the class. In sets with a
switch or a state, the cells that it selects are salient; an observed switch is salient too, because the class cannot be
read without it.
"""

from collections.abc import Callable

import numpy as np
from torch import nn

from glasstape_server.bench.known_truth.hidden_state import Chain, HiddenState
from glasstape_server.bench.known_truth.labels import Logistic, Shifted
from glasstape_server.bench.known_truth.noise import Gaussian, Noise, SharedFactors, StudentT
from glasstape_server.bench.known_truth.patterns import (
    PatternSet,
    block_masks,
    blocks,
    center_mask,
    frequency_shapes,
)
from glasstape_server.bench.known_truth.switch import Switch
from glasstape_server.bench.known_truth.truth_set import SHIFT, KnownTruth, Random, TruthSet
from glasstape_server.bench.known_truth.units import InUnits

WEAK_EVIDENCE = 6.0
"""Sum of the squared shifts of the set `weak`, in squared standard deviations: a shift of 1 in a block of 2 x 3."""


def _box(steps: int, features: int) -> tuple[int, int]:
    """Return (time, feature) of the moving block."""
    return (15, 15) if _large(steps, features) else (steps // 3, 3)


def _large(steps: int, features: int) -> bool:
    return steps >= 40 and features >= 40  # the sizes of Ismail et al., table 1


def _fixed(steps: int, features: int) -> TruthSet:
    """One block in the middle is shifted: a third of the bars x 3 features."""
    high, wide = (14, 14) if _large(steps, features) else (steps // 3, 3)
    return PatternSet(blocks(center_mask(steps, features, high, wide)), Gaussian())


def _moving(steps: int, features: int) -> TruthSet:
    """A block of the same size is shifted, at a random position."""
    return _moving_in(Gaussian(), steps, features)


def _moving_in(noise: Noise, steps: int, features: int, shift: float = SHIFT) -> TruthSet:
    return PatternSet(blocks(block_masks(steps, features, *_box(steps, features)), shift), noise)


def _rare_time(steps: int, features: int) -> TruthSet:
    """One bar of all features but two is shifted, at a random position."""
    high, wide = (6, 40) if _large(steps, features) else (1, features - 2)
    return PatternSet(blocks(block_masks(steps, features, high, wide)), Gaussian())


def _rare_feature(steps: int, features: int) -> TruthSet:
    """One feature of all bars but two is shifted, at a random position."""
    high, wide = (40, 6) if _large(steps, features) else (steps - 2, 1)
    return PatternSet(blocks(block_masks(steps, features, high, wide)), Gaussian())


def _freqshapes(steps: int, features: int) -> TruthSet:
    """Spikes at equal intervals in one feature, at random positions; their sign and interval determine the class.

    Salient: the spikes.
    """
    return PatternSet(frequency_shapes(steps, features), Gaussian())


def _correlated(steps: int, features: int) -> TruthSet:
    """The moving block in noise whose features share factors, so that cells beside the block inform about its noise.

    Salient: the block, which alone depends on the class.
    """
    return _moving_in(SharedFactors(features), steps, features)


def _heavy_tails(steps: int, features: int) -> TruthSet:
    """The moving block in noise of Student's t with 3 degrees of freedom: single cells of noise exceed the shift."""
    return _moving_in(StudentT(), steps, features)


def _scales(steps: int, features: int) -> TruthSet:
    """The moving block in features whose units differ by up to 100 times, around levels that are not 0."""
    return InUnits(_moving(steps, features), features)


def _weak(steps: int, features: int) -> TruthSet:
    """The moving block with a shift so small that even the Bayes-optimal classifier is wrong for a third of windows.

    A larger block has a smaller shift, so that the evidence in a window is the same at every shape.
    """
    high, wide = _box(steps, features)
    return _moving_in(Gaussian(), steps, features, (WEAK_EVIDENCE / (high * wide)) ** 0.5)


def _state3(steps: int, features: int) -> TruthSet:
    """A state of three selects one of the first three features of the last bar, which the class shifts.

    Transitions and (doubled) means are those of the paper's Switch-Feature set.
    """
    means = 2 * np.array([[0.8, -0.5, -0.2], [0.0, -1.0, 0.0], [-0.2, -0.2, 0.8]])
    chain = Chain(_SLOW, means, salient=(0, 1, 2), deviation=0.6)
    return HiddenState(steps, features, chain, 1, Shifted(SHIFT, 0.6))


def _state(steps: int, features: int) -> TruthSet:
    """A state of two selects feature 1 or 2; the class is drawn with a probability that depends on its sum.

    The sum is over the last third of the bars. After the paper's State set, with states that last about ten bars and
    with means (0, except for feature 0 and the feature that is not selected) that leave the classes balanced.
    """
    means = np.array([[1.0, 0.0, -2.0], [-1.0, 2.0, 0.0]])
    chain = Chain(np.array([[0.9, 0.1], [0.1, 0.9]]), means, salient=(1, 2), deviation=1.0)
    bars = steps // 3
    return HiddenState(steps, features, chain, bars, _logistic(bars**0.5))


def _switch_feature(steps: int, features: int) -> TruthSet:
    """A state of three selects one of the first three features; the class depends on the sum of its last bars.

    The sum is over the last sixth of the bars, at least two. After the paper's Switch-Feature set: its transitions, and
    emissions that are a Gaussian process over time, here with an exponential kernel. The mean of the selected feature
    is 0, those of the others have the size 2.
    """
    means = 2 * np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    chain = Chain(_SLOW, means, salient=(0, 1, 2), deviation=1.0, correlation=0.5)
    bars = max(2, steps // 6)
    lags = np.abs(np.subtract.outer(np.arange(bars), np.arange(bars)))
    return HiddenState(steps, features, chain, bars, _logistic(float((0.5**lags).sum()) ** 0.5))


def _logistic(deviation: float) -> Logistic:
    """Return a rule that divides normal sums of a deviation into about equal classes, mostly without doubt."""
    return Logistic(
        slope=8 / deviation, bias=8 * 0.43
    )  # a third of a normal variable is within 0.43 deviations


_SLOW = np.array([[0.95, 0.02, 0.03], [0.02, 0.95, 0.03], [0.03, 0.02, 0.95]])


class Null:
    """Windows of noise without salient cells, and with random classes."""

    def __init__(self, steps: int, features: int) -> None:
        """Set the shape of a window."""
        self._shape = steps, features

    def draw(self, n: int, random: Random) -> KnownTruth:
        """Return windows; see `TruthSet.draw`."""
        windows = random.standard_normal((n, *self._shape), dtype=np.float32)
        return KnownTruth(windows, random.integers(0, 3, n), np.zeros(windows.shape, dtype=bool))

    def posterior(self) -> nn.Module | None:
        """Return None; see `TruthSet.posterior`."""
        return None


KINDS: dict[str, Callable[[int, int], TruthSet]] = {
    "fixed": _fixed,
    "moving": _moving,
    "rare-time": _rare_time,
    "rare-feature": _rare_feature,
    "switch": Switch,
    "state3": _state3,
    "state": _state,
    "switch-feature": _switch_feature,
    "freqshapes": _freqshapes,
    "correlated": _correlated,
    "heavy-tails": _heavy_tails,
    "scales": _scales,
    "weak": _weak,
    "null": Null,
}
"""Set by name, for the bars and features of a window."""
WITHOUT_CELLS = frozenset({"null"})
"""Sets without salient cells, and without a Bayes-optimal classifier."""
LABEL_NOISE = frozenset({"state", "switch-feature", "weak"})
"""Sets whose Bayes-optimal classifier is often wrong."""
SIGNED = frozenset(
    {
        "fixed",
        "moving",
        "rare-time",
        "rare-feature",
        "freqshapes",
        "correlated",
        "heavy-tails",
        "scales",
        "weak",
    }
)
"""Sets whose salient cells are shifted towards the class, so that each has a known sign."""


def truth_set(kind: str, steps: int, features: int) -> TruthSet:
    """Return a set.

    Args:
        kind: one of `KINDS`.
        steps: bars of a window.
        features: features of a bar.

    Raises:
        ValueError: the kind is unknown, or the shape smaller than 4 x 6.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: must be one of {', '.join(KINDS)}, is {kind!r}")
    if steps < 4 or features < 6:
        raise ValueError(f"shape: must be at least 4 x 6, is {steps} x {features}")
    return KINDS[kind](steps, features)
