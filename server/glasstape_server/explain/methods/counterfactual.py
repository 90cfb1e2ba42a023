"""The smallest edit of the last bar that flips the class, searched and then verified by a forward pass.

Wachter, Mittelstadt and Russell (2018), "Counterfactual explanations without opening the black box",
with the distance in standard deviations and every candidate a bar that could have traded. The search
needs scores alone: rays from the window in many directions, the nearest flips refined by steps to the
linearised border (Moosavi-Dezfooli, Fawzi and Frossard 2016, "DeepFool", algorithm 2).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.values import Direction, Float32s, Floats
from glasstape_server.explain.edits import LARGEST, Editor
from glasstape_server.explain.method import Network

RADII = 20
DIRECTIONS = 48
"""Random directions tried beside the sensible ones."""
REFINED = 6
"""Flips that are refined."""
ROUNDINGS = 32
"""Lengths of the final edit that are tried until it survives rounding."""
STEP = 0.1
"""Step of the finite differences, in standard deviations."""

Margin = Callable[[Floats], Floats]
"""Edits (n, dimension) in standard deviations -> how far the class is from flipping, (n,); < 0: flipped."""


Rounded = tuple[Floats, Float32s, Floats | None]
"""What `Editor.rounded` gives: edit, window, bar."""


@dataclass(frozen=True, slots=True)
class Flip:
    """An edit that changes the class."""

    edit: Floats  # (dimension,) what was really changed, in standard deviations
    window: Float32s  # (time, feature) after the edit
    logits: Float32s  # (3,) of that window
    bar: Floats | None  # (5,) open, high, low, close, volume after the edit; None: no bars were given

    @property
    def size(self) -> float:
        """Length of the edit in standard deviations."""
        return float(np.linalg.norm(self.edit))


def smallest_flip(
    network: Network, editor: Editor, logits: Float32s, foil: Direction | None, seed: int
) -> Flip | None:
    """Search the smallest edit within 3 standard deviations that flips the class.

    Args:
        network: what is explained.
        editor: turns edits into windows.
        logits: (3,) of the unedited window.
        foil: class to reach; None: any other.
        seed: of the random directions.

    Returns:
        The flip, verified on the very window that it names; None if none was found.
    """
    winner = int(logits.argmax())
    if foil is not None and winner == int(foil):
        return None

    def score(windows: Float32s) -> Float32s:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(windows)).numpy(), dtype=np.float32)

    def margin(edits: Floats) -> Floats:
        scored = score(editor.windows(edits)).astype(np.float64)
        if foil is not None:
            others = np.delete(scored, int(foil), axis=1).max(axis=1)
            return np.asarray(others - scored[:, int(foil)])
        return np.asarray(scored[:, winner] - np.delete(scored, winner, axis=1).max(axis=1))

    def flips(made: Rounded) -> Flip | None:
        edit, window, bar = made
        after = score(window[None])[0]
        reached = int(after.argmax())
        good = reached != winner and (foil is None or reached == int(foil)) and np.abs(edit).max() <= LARGEST
        return Flip(edit, window, after, bar) if good else None

    found = [
        _rounded(editor, edit, flips) for edit in _search(margin, editor.dimensions, editor.together, seed)
    ]
    return min((flip for flip in found if flip is not None), key=lambda flip: flip.size, default=None)


def _rounded(editor: Editor, edit: Floats, flips: Callable[[Rounded], Flip | None]) -> Flip | None:
    """The edit on ticks and whole shares: longer where rounding undid the flip, without what is not needed."""
    for further in np.geomspace(1.0, LARGEST / np.abs(edit).max(), ROUNDINGS):
        flip = flips(editor.rounded(edit * further))
        if flip is not None:
            break
    else:
        return None
    for index in np.argsort(np.abs(flip.edit)):
        without = flip.edit.copy()
        without[index] = 0
        shorter = flips(editor.rounded(without)) if without.any() else None
        if shorter is not None and shorter.size < flip.size:
            flip = shorter
    return flip


def _search(margin: Margin, dimensions: int, together: Floats, seed: int) -> list[Floats]:
    """The nearest flips that were found, before any rounding."""
    slope = _slope(margin, np.zeros(dimensions))
    units = np.eye(dimensions)
    random = np.random.default_rng(seed).normal(size=(DIRECTIONS, dimensions))
    downhill = -slope / max(float(np.linalg.norm(slope)), 1e-12)
    strongest = np.argsort(-np.abs(slope))
    sparse = [
        np.where(np.isin(np.arange(dimensions), strongest[:k]), downhill, 0) for k in range(1, dimensions + 1)
    ]
    directions = np.concatenate(
        [units, -units, together, -together, np.stack(sparse), 0.5 * random + 2 * downhill, random]
    )
    found = sorted(_along(margin, directions), key=_length)[:REFINED]
    refined = [_refine(margin, edit) for edit in found]
    return [_sparser(margin, edit) for edit in refined]


def _along(margin: Margin, directions: Floats) -> list[Floats]:
    """The nearest flip on each ray, to a thousandth of its reach; rays without one are left out."""
    reach = np.abs(directions).max(axis=1, keepdims=True)
    rays = (LARGEST * directions / np.maximum(reach, 1e-12))[reach[:, 0] > 0]  # end where one coordinate does
    if not len(rays):
        return []
    radii = np.linspace(0, 1, RADII + 1)[1:]
    points = rays[:, None] * radii[None, :, None]
    flipped = (margin(points.reshape(-1, rays.shape[1])) < 0).reshape(len(rays), RADII)
    hit = flipped.any(axis=1)
    rays, first = rays[hit], flipped[hit].argmax(axis=1)
    if not len(rays):
        return []
    high = radii[first]
    low = high - 1 / RADII
    for _ in range(6):
        middle = (low + high) / 2
        over = margin(rays * middle[:, None]) < 0
        high, low = np.where(over, middle, high), np.where(over, low, middle)
    return list(rays * high[:, None])


def _refine(margin: Margin, edit: Floats) -> Floats:
    """Steps to the nearest point of the linearised border, as long as they get nearer."""
    for _ in range(4):
        slope = _slope(margin, edit)
        square = float(slope @ slope)
        if square == 0:
            break
        target = slope * (float(slope @ edit) - float(margin(edit[None])[0])) / square
        nearer = _along(margin, target[None])
        if not nearer or _length(nearer[0]) >= _length(edit):
            break
        edit = nearer[0]
    return edit


def _sparser(margin: Margin, edit: Floats) -> Floats:
    """Leave out what the flip does not need, smallest first."""
    for index in np.argsort(np.abs(edit)):
        without = edit.copy()
        without[index] = 0
        if margin(without[None])[0] < 0:
            edit = without
    return edit


def _slope(margin: Margin, at: Floats) -> Floats:
    """Gradient of the margin by central differences, (dimension,)."""
    steps = STEP * np.eye(len(at))
    values = margin(np.concatenate([at + steps, at - steps]))
    return np.asarray((values[: len(at)] - values[len(at) :]) / (2 * STEP))


def _length(edit: Floats) -> float:
    return float(np.linalg.norm(edit))
