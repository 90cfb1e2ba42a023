"""Counterfactual search: the smallest edit of the last bar that changes the predicted class.

Wachter, Mittelstadt and Russell (2018), "Counterfactual explanations without opening the black box", with the distance
in standard deviations and every candidate a bar that could have traded. The search is gradient-free: it follows rays
from the window in many directions, and refines the nearest flips by steps to the linearized decision boundary
(Moosavi-Dezfooli, Fawzi and Frossard 2016, "DeepFool", algorithm 2). A forward pass verifies the result.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from glasstape_server.domain.values import Direction, Float32s, Floats
from glasstape_server.explain.edits import MAX_EDIT, Editor
from glasstape_server.explain.method import Network

RADII = 20
"""Points on each ray."""
DIRECTIONS = 48
"""Random directions, besides the deterministic ones."""
REFINED = 6
"""Number of nearest flips to refine."""
ROUNDINGS = 32
"""Lengths of the final edit to try until the rounded edit still flips the class."""
STEP = 0.1
"""Step of the finite differences, standard deviations."""

Margin = Callable[[Floats], Floats]
"""Edits (n, dimension) in standard deviations -> logit margin to the decision boundary, (n,); < 0: flipped."""


RoundedEdit = tuple[Floats, Float32s, Floats | None]
"""Result of `Editor.rounded`: edit, window, bar."""


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
        return float(np.linalg.norm(self.edit))


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

    def score(windows: Float32s) -> Float32s:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(windows)).numpy(), dtype=np.float32)

    def margin(edits: Floats) -> Floats:
        scored = score(editor.windows(edits)).astype(np.float64)
        if foil is not None:
            others = np.delete(scored, int(foil), axis=1).max(axis=1)
            return np.asarray(others - scored[:, int(foil)])
        return np.asarray(scored[:, winner] - np.delete(scored, winner, axis=1).max(axis=1))

    def verified(rounded: RoundedEdit) -> Flip | None:
        edit, window, bar = rounded
        edited_logits = score(window[None])[0]
        reached = int(edited_logits.argmax())
        flipped = reached != winner and (foil is None or reached == int(foil))
        return Flip(edit, window, edited_logits, bar) if flipped and np.abs(edit).max() <= MAX_EDIT else None

    edits = _search(margin, editor.dimensions, editor.joint_directions, seed)
    flips = (_rounded(editor, edit, verified) for edit in edits)
    return min((flip for flip in flips if flip is not None), key=lambda flip: flip.size, default=None)


def _rounded(editor: Editor, edit: Floats, verified: Callable[[RoundedEdit], Flip | None]) -> Flip | None:
    """Round an edit, lengthen it until it flips the class again, and drop components that it does not need."""
    for factor in np.geomspace(1.0, MAX_EDIT / np.abs(edit).max(), ROUNDINGS):
        flip = verified(editor.rounded(edit * factor))
        if flip is not None:
            break
    else:
        return None
    for index in np.argsort(np.abs(flip.edit)):
        without = flip.edit.copy()
        without[index] = 0
        shorter = verified(editor.rounded(without)) if without.any() else None
        if shorter is not None and shorter.size < flip.size:
            flip = shorter
    return flip


def _search(margin: Margin, dimensions: int, joint_directions: Floats, seed: int) -> list[Floats]:
    """Return the nearest flips, (dimension,) each, before rounding."""
    slope = _slope(margin, np.zeros(dimensions))
    units = np.eye(dimensions)
    random = np.random.default_rng(seed).normal(size=(DIRECTIONS, dimensions))
    downhill = -slope / max(float(np.linalg.norm(slope)), 1e-12)
    strongest = np.argsort(-np.abs(slope))
    sparse = [
        np.where(np.isin(np.arange(dimensions), strongest[:k]), downhill, 0) for k in range(1, dimensions + 1)
    ]
    directions = np.concatenate(
        [
            units,
            -units,
            joint_directions,
            -joint_directions,
            np.stack(sparse),
            0.5 * random + 2 * downhill,
            random,
        ]
    )
    nearest = sorted(_along(margin, directions), key=_length)[:REFINED]
    return [_sparser(margin, _refine(margin, edit)) for edit in nearest]


def _along(margin: Margin, directions: Floats) -> list[Floats]:
    """Return the nearest flip on each ray (n, dimension), to a thousandth of its length, where there is one."""
    peak = np.abs(directions).max(axis=1, keepdims=True)
    # A ray ends where its largest coordinate reaches the limit.
    rays = (MAX_EDIT * directions / np.maximum(peak, 1e-12))[peak[:, 0] > 0]
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
        beyond = margin(rays * middle[:, None]) < 0
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    return list(rays * high[:, None])


def _refine(margin: Margin, edit: Floats) -> Floats:
    """Step to the nearest point of the linearized decision boundary, as long as the edit gets shorter."""
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
    """Set components to 0 that the flip does not need, smallest first."""
    for index in np.argsort(np.abs(edit)):
        without = edit.copy()
        without[index] = 0
        if margin(without[None])[0] < 0:
            edit = without
    return edit


def _slope(margin: Margin, at: Floats) -> Floats:
    """Return the gradient of the margin by central differences, (dimension,)."""
    steps = STEP * np.eye(len(at))
    values = margin(np.concatenate([at + steps, at - steps]))
    return np.asarray((values[: len(at)] - values[len(at) :]) / (2 * STEP))


def _length(edit: Floats) -> float:
    return float(np.linalg.norm(edit))
