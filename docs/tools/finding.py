"""Draw the picture of docs/methods.md: `make docs`, or `python docs/tools/finding.py`.

It uses data with a known answer: noise in which six chosen cells, and no others, carry the class.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from glasstape import Direction, Explanation, Heatmap, Method, Prediction, Quantity
from glasstape import Score as SdkScore
from glasstape.cli.picture import Picture, save
from glasstape.testing import MODEL
from glasstape_server.bench.known_truth.sets import truth_set
from glasstape_server.bench.truth_models import model_of
from glasstape_server.bench.truth_task import TruthTask
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import Attribution, MethodName, Request, Rows
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.models.scorer import Scorer

KIND, WINDOWS, SEED = "moving", 128_000, 0
SHOWN: tuple[tuple[str, str, MethodName, Score], ...] = (
    ("Grad-CAM on the 1D-CNN", "conv1d", MethodName.GRAD_CAM, Score.LOGIT),
    ("attention of the Transformer", "transformer", MethodName.ATTENTION, Score.LOGIT),
    ("Grad-CAM on the 2D-CNN", "conv2d", MethodName.GRAD_CAM, Score.LOGIT),
    ("the original: gradient, 1D-CNN", "conv1d", MethodName.GRADIENT, Score.LOGIT),
    ("integrated gradients, 1D-CNN", "conv1d", MethodName.INTEGRATED_GRADIENTS, Score.MARGIN),
    ("occlusion, Transformer", "transformer", MethodName.OCCLUSION, Score.LOG_PROBABILITY),
    ("Grad-CAM on the XCM-style network", "xcm", MethodName.GRAD_CAM, Score.LOGIT),
    ("attention over both axes", "axial", MethodName.ATTENTION, Score.LOGIT),
)


@dataclass(frozen=True)
class Example:
    """One window with its label and the cells that determine it."""

    window: torch.Tensor  # (1, time, feature)
    label: int
    cells: np.ndarray[tuple[int, int], np.dtype[np.bool_]]


def main() -> None:
    """Train the networks, find a window that all of them classify correctly, draw it."""
    torch.set_num_threads(1)
    networks = {name: _train(name) for name in dict.fromkeys(network for _, network, _, _ in SHOWN)}
    example = _example(networks)
    pictures = []
    for title, network, method, score in SHOWN:
        made = METHODS[method].attribute(
            networks[network], _rows(networks[network], example.window), Request(method, ScoreSpec(score))
        )
        explanation = _explanation(made, method, METHODS[method].quantity.name)
        pictures.append(Picture(title, explanation, MODEL, outlined=example.cells))
    name = Direction(example.label).name
    target = Path(__file__).parents[1] / "pictures" / "finding.png"
    save(
        target,
        pictures,
        f"One window of the known-truth set “{KIND}” ({name}); outlined: the cells that carry it",
    )
    print(target)


def _train(name: str) -> Scorer:
    task = TruthTask(architecture=name, kind=KIND, seed=SEED, windows=WINDOWS)
    return model_of(task, np.random.default_rng(SEED)).scorer


def _example(networks: dict[str, Scorer]) -> Example:
    """Return the first window, not FLAT, that every network classifies correctly."""
    test = truth_set(KIND, 6, 8).draw(200, np.random.default_rng(SEED + 1))
    windows = torch.from_numpy(test.windows)
    right = test.labels != 1
    for scorer in networks.values():
        right &= scorer(windows).argmax(1).numpy() == test.labels
    row = int(np.flatnonzero(right)[0])
    return Example(windows[row : row + 1], int(test.labels[row]), test.cells[row])


def _rows(scorer: Scorer, window: torch.Tensor) -> Rows:
    return Rows(window, scorer.mean.expand_as(window), scorer.deviation)


def _explanation(made: Attribution, method: MethodName, quantity: str) -> Explanation:
    native = made.native_shape or (6, 8)
    heatmap = Heatmap(
        values=made.values[0].numpy(),
        quantity=Quantity[quantity],
        native_shape=native,
        upsampled=native != (6, 8),
    )
    return Explanation(
        prediction=Prediction(model=None, confidence=None, error=None), method=Method[method.name],
        score_kind=SdkScore.LOGIT, baseline=None, heatmap=heatmap, score=None, baseline_score=None,
        completeness_error=None, samples=0, target=None, foil=None, quality=None, drivers=(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
