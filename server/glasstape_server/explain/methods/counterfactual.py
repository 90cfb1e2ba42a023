"""Counterfactual search: the smallest edit of the last bar that changes the predicted class.

Wachter, Mittelstadt and Russell (2018), "Counterfactual explanations without opening the black box", with the distance
in standard deviations and every candidate a bar that could have traded. The search is gradient-free: it follows rays
from the window in many directions, and refines the nearest flips by steps to the linearized decision boundary
(Moosavi-Dezfooli, Fawzi and Frossard 2016, "DeepFool", algorithm 2). A forward pass verifies the result.

The search does not depend on tick, price limit and foil. Those select from candidates near the flips that it finds, and
a looser bound selects all that a tighter one does. So the result is never larger under a looser bound.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.explain.edits import MAX_EDIT, SLACK, Candidates, Editor
from glasstape_server.explain.flip_search import find_flips, margin_to
from glasstape_server.explain.method import Network

LENGTHS = 16
"""Multiples of a flip, up to the largest edit, of which candidates are made."""
NEAR = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.06])
"""Lengths by which a flip is exceeded first, because rounding may undo it."""
BATCH_ERROR = 1e-4
"""Margin up to which a batched forward pass is repeated for the row alone, whose result counts."""


@dataclass(frozen=True, slots=True)
class Flip:
    """An edit that changes the predicted class."""

    edit: Floats
    """After rounding, standard deviations, (dimension,)."""
    window: Float32s
    """After the edit, (time, feature)."""
    logits: Float32s
    """Of that window, (3,)."""
    bar: Floats | None
    """Open, high, low, close, volume after the edit, (5,); None if features were edited."""

    @property
    def size(self) -> float:
        """Length of the edit, standard deviations."""
        return float(Candidates(self.edit[None]).sizes[0])


@dataclass(frozen=True, slots=True)
class _Target:
    """The classes to reach, and the network that decides."""

    network: Network
    winner: int
    foil: Direction | None

    def logits(self, windows: Float32s) -> Float32s:
        with torch.no_grad():
            return np.asarray(self.network(torch.from_numpy(windows)).numpy(), dtype=np.float32)

    def margins(self, windows: Float32s) -> Floats:
        """Return the margin of each window to the decision boundary, (n,); < 0: flipped."""
        scored = self.logits(windows)
        reached = range(3) if self.foil is None else (int(self.foil),)
        return np.asarray(np.min([margin_to(scored, c) for c in reached if c != self.winner], axis=0))

    def verified(self, editor: Editor, candidate: Candidates) -> Flip | None:
        """Return the flip of one candidate, if a forward pass of its window alone changes the class."""
        window = editor.windows_after(candidate)
        logits = self.logits(window)[0]
        reached = int(logits.argmax())
        if reached == self.winner or (self.foil is not None and reached != int(self.foil)):
            return None
        bar = None if candidate.bars is None else candidate.bars[0]
        return Flip(candidate.edits[0], window[0], logits, bar)


def smallest_flip(
    network: Network, editor: Editor, logits: Float32s, foil: Direction | None, seed: int
) -> Flip | None:
    """Search for the smallest edit, at most 3 standard deviations per value, that changes the predicted class.

    Args:
        network: to explain.
        editor: converts edits into windows.
        logits: of the unedited window, (3,).
        foil: class to reach; None for any other class.
        seed: of the random directions.

    Returns:
        The flip, verified by a forward pass; None if none was found.
    """
    winner = int(logits.argmax())
    if foil is not None and winner == int(foil):
        return None
    target = _Target(network, winner, foil)
    flips, reached = find_flips(lambda edits: target.logits(editor.windows(edits)), editor, winner, seed)
    flips = flips[editor.within_limits(flips) & (reached == foil if foil is not None else True)]
    smallest: Flip | None = None
    below = np.inf
    # Edits on the tick first: mostly, they exclude all of its multiples by their size.
    for coarse in (False, True):
        for edit in flips:
            if np.linalg.norm(edit) * (1 - SLACK) >= below:
                break
            candidates = editor.candidates(edit, _lengths(edit), below, coarse)
            flip = _smallest_verified(target, editor, candidates)
            if flip is not None:
                smallest, below = flip, flip.size
    return smallest


def _lengths(edit: Floats) -> Floats:
    """Return multiples of an edit, from 1 to where its largest value reaches the limit."""
    longest = max(MAX_EDIT / float(np.abs(edit).max()), 1.1)
    return np.concatenate([1 + NEAR, np.geomspace(1.1, longest, LENGTHS)])


def _smallest_verified(target: _Target, editor: Editor, candidates: Candidates) -> Flip | None:
    """Return the flip of the smallest candidate that has one."""
    candidates = candidates.select(_distinct_by_size(candidates))
    start, count = 0, 8
    while start < len(candidates.edits):
        part = candidates.select(np.arange(start, min(start + count, len(candidates.edits))))
        margins = target.margins(editor.windows_after(part))
        for row in np.flatnonzero(margins < BATCH_ERROR):
            flip = target.verified(editor, part.select(np.array([row])))
            if flip is not None:
                return flip
        start, count = start + count, min(8 * count, 4096)
    return None


def _distinct_by_size(candidates: Candidates) -> Ints:
    """Return the numbers of distinct candidates, smallest first."""
    order = np.argsort(candidates.sizes, kind="stable")
    edits = candidates.edits[order]
    new: NDArray[np.bool_] = np.ones(len(order), dtype=bool)
    new[1:] = (edits[1:] != edits[:-1]).any(axis=1)
    return np.asarray(order[new])
