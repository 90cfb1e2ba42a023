"""Search for edits that change the predicted class, whatever bounds a market sets and whichever class is to be reached.

For each class, it follows rays from the window and refines the nearest flips. Each direction is also followed without
its rises and without its falls, so that a limit on either side leaves flips to choose from.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.explain.edits import MAX_EDIT, Editor

RADII = 16
"""Points on each ray."""
_RADII = np.linspace(0, 1, RADII + 1)[1:]
DIRECTIONS = 12
"""Random directions of each kind, besides the deterministic ones."""
REFINED = 3
"""Number of nearest flips to refine: of all, of those without rises and of those without falls."""
ROUNDS = 3
"""Steps of the refinement."""
STEP = 0.1
"""Step of the finite differences, standard deviations."""
DISTINCT = 0.01
"""Distance within which two flips are one, as a share of their length."""

Logits = Callable[[Floats], Float32s]
"""Edits (n, dimension) in standard deviations -> logits, (n, 3)."""
Margin = Callable[[Floats], Floats]
"""Edits (n, dimension) in standard deviations -> logit margin to the decision boundary, (n,); < 0: flipped."""


def find_flips(logits: Logits, editor: Editor, winner: int, seed: int) -> tuple[Floats, Ints]:
    """Return edits that change the class, (n, dimension), shortest first, and the class that each reaches, (n,).

    Args:
        logits: of edits.
        editor: of the window.
        winner: class index of the unedited window.
        seed: of the random directions.
    """
    limited = editor.limited
    sides = np.array([0.0, -1, 1]) if limited.any() else np.zeros(1)
    margins = [partial(_margin, logits, reached) for reached in range(3) if reached != winner]
    directions = _directions(margins, editor, seed)
    directions = np.concatenate([_one_sided(directions, limited, np.full(len(directions), s)) for s in sides])
    _, first = np.unique(np.round(directions, 9), axis=0, return_index=True)
    _, rays = _rays(directions[np.sort(first)])
    scores = logits(_points(rays))
    found = []
    for reached, margin in zip((c for c in range(3) if c != winner), margins, strict=True):
        flips = _nearest(margin, rays, margin_to(scores, reached))[1]
        flips = flips[np.argsort(_lengths(flips), kind="stable")]
        near = [
            flips[(_one_sided(flips, limited, np.full(len(flips), s)) == flips).all(axis=1)][:REFINED]
            for s in sides
        ]
        side = np.repeat(sides, [len(part) for part in near])
        found += [_sparser(margin, _refine(margin, np.concatenate(near), limited, side)), flips]
    parts = [_shortest(editor.effective(np.concatenate(found[i : i + 2]))) for i in (0, 2)]
    classes = np.repeat([c for c in range(3) if c != winner], [len(part) for part in parts])
    flips = np.concatenate(parts)
    order = np.argsort(_lengths(flips), kind="stable")
    return flips[order], classes[order]


def _shortest(flips: Floats) -> Floats:
    """Return the distinct ones of edits (n, dimension), shortest first, without those of no length."""
    lengths = _lengths(flips)
    order = np.argsort(lengths, kind="stable")
    return _distinct(flips[order[lengths[order] > 1e-9]])


def margin_to(scores: Float32s, reached: int) -> Floats:
    """Return the highest other logit minus that of a class, (n,), of logits (n, 3); < 0: the class is predicted."""
    scores = scores.astype(np.float64)
    return np.asarray(np.delete(scores, reached, axis=1).max(axis=1) - scores[:, reached])


def _margin(logits: Logits, reached: int, edits: Floats) -> Floats:
    return margin_to(logits(edits), reached)


def _directions(margins: Sequence[Margin], editor: Editor, seed: int) -> Floats:
    """Return single values, joint directions, the steepest ones to each class, and random ones, (n, dimension)."""
    dimensions = editor.dimensions
    random = np.random.default_rng(seed).normal(size=(DIRECTIONS, dimensions))
    units, joint = np.eye(dimensions), editor.joint_directions
    parts = [units, -units, joint, -joint, random]
    for margin in margins:
        slope = _slopes(margin, np.zeros((1, dimensions)))[0]
        downhill = -slope / max(float(np.linalg.norm(slope)), 1e-12)
        place = np.argsort(np.argsort(-np.abs(slope)))
        parts += [np.where(place < count, downhill, 0)[None] for count in range(1, dimensions + 1)]
        parts.append(0.5 * random + 2 * downhill)
    return np.concatenate(parts)


def _one_sided(edits: Floats, limited: NDArray[np.bool_], side: Floats) -> Floats:
    """Return edits (n, dimension) without rises (side -1) or falls (1) of values that a limit restricts (0: as is)."""
    return np.asarray(np.where(limited & (edits * side[:, None] < 0), 0.0, edits))


def _rays(directions: Floats) -> tuple[Ints, Floats]:
    """Return which directions (n, dimension) are not 0, (m,), and their rays to the largest edit, (m, dimension)."""
    peak = np.abs(directions).max(axis=1, initial=0)
    number = np.flatnonzero(peak > 1e-12)
    return number, MAX_EDIT * directions[number] / peak[number, None]


def _points(rays: Floats) -> Floats:
    """Return `RADII` points on each ray (n, dimension), (n x RADII, dimension)."""
    return np.asarray((rays[:, None] * _RADII[None, :, None]).reshape(-1, rays.shape[1]))


def _nearest(margin: Margin, rays: Floats, margins: Floats) -> tuple[Ints, Floats]:
    """Return which rays (n, dimension) have a flip, (m,), and the nearest one, (m, dimension).

    It is exact to a thousandth of the ray's length. `margins` are those of the points on the rays, (n x RADII,).
    """
    flipped = (margins < 0).reshape(len(rays), RADII)
    number = np.flatnonzero(flipped.any(axis=1))
    rays, high = rays[number], _RADII[flipped[number].argmax(axis=1)]
    low = high - 1 / RADII
    for _ in range(6 if len(rays) else 0):
        middle = (low + high) / 2
        beyond = margin(rays * middle[:, None]) < 0
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    return number, rays * high[:, None]


def _refine(margin: Margin, edits: Floats, limited: NDArray[np.bool_], side: Floats) -> Floats:
    """Step each edit (n, dimension) to the nearest point of the linearized boundary, as long as it gets shorter."""
    edits = edits.copy()
    active = np.arange(len(edits))
    for _ in range(ROUNDS):
        if not len(active):
            break
        at = edits[active]
        slopes = _slopes(margin, at)
        square = np.maximum((slopes**2).sum(axis=1), 1e-300)
        length = ((slopes * at).sum(axis=1) - margin(at)) / square
        number, rays = _rays(_one_sided(slopes * length[:, None], limited, side[active]))
        if not len(rays):
            break
        hit, nearer = _nearest(margin, rays, margin(_points(rays)))
        number = number[hit]
        shorter = _lengths(nearer) < _lengths(at[number])
        active = active[number[shorter]]
        edits[active] = nearer[shorter]
    return edits


def _sparser(margin: Margin, edits: Floats) -> Floats:
    """Set values of each edit (n, dimension) to 0 that the flip does not need, smallest first."""
    edits = edits.copy()
    if not len(edits):
        return edits
    for column in np.argsort(np.abs(edits), axis=1).T:
        without = edits.copy()
        without[np.arange(len(edits)), column] = 0
        flipped = margin(without) < 0
        edits[flipped] = without[flipped]
    return edits


def _slopes(margin: Margin, at: Floats) -> Floats:
    """Return the gradients of the margin at edits (n, dimension), by central differences."""
    steps = STEP * np.eye(at.shape[1])
    points = np.concatenate([at[:, None] + steps, at[:, None] - steps], axis=1)
    values = margin(points.reshape(-1, at.shape[1])).reshape(len(at), 2, -1)
    return np.asarray((values[:, 0] - values[:, 1]) / (2 * STEP))


def _distinct(edits: Floats) -> Floats:
    """Return edits (n, dimension) without those near a shorter one."""
    kept: list[Floats] = []
    for edit in edits:
        if all(np.abs(edit - other).max() > DISTINCT * np.abs(other).max() for other in kept):
            kept.append(edit)
    return np.array(kept).reshape(-1, edits.shape[1])


def _lengths(edits: Floats) -> Floats:
    return np.asarray(np.linalg.norm(edits, axis=1))
