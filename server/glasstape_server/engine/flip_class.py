"""Counterfactual search on the device: the smallest edit that changes the predicted class."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.signals import Direction
from glasstape_server.engine.work import Arrays
from glasstape_server.explain.edits import BarEditor, BarRules, Editor, FeatureEditor
from glasstape_server.explain.method import PASSES_AT_ONCE
from glasstape_server.explain.methods.counterfactual import Flip, smallest_flip
from glasstape_server.features.series import Series, from_columns
from glasstape_server.models.model import Model

SAME_WINDOW = 1e-4
"""Largest difference between a window and the one recomputed from its bars for which the bars are edited."""
_VOLUME = "relative_volume"
"""Feature whose deviation is that of a bar's ln(volume)."""


@dataclass(frozen=True, slots=True)
class Flips:
    """Results of a search, by row; NaN where no edit was found or the value is undefined."""

    logits: Float32s
    """Of the unedited windows, (n, 3)."""
    window: Float32s
    """After the edit, (n, time, feature)."""
    edited_logits: Float32s
    """Of the edited windows, (n, 3)."""
    size: Floats
    """Length of the edit, standard deviations, (n,)."""
    bars: Floats
    """Open, high, low, close, volume before and after, (n, 2, 5)."""
    hypothetical: NDArray[np.bool_]
    """Whether features were edited instead of a bar, (n,)."""


@dataclass(frozen=True, slots=True)
class CounterfactualWork:
    """Search for the smallest edit of the last bar that changes the predicted class.

    Inputs: windows (n, time, feature), float32. With bars also local close time, open, high, low, close,
    volume and session (n, 7, bar), and tick, price limit and previous session close (n, 3), float64. Outputs: the
    fields of `Flips`.
    """

    label: ClassVar[str] = "flipclass"
    model: Model
    foil: Direction | None = None
    seed: int = 0
    with_bars: bool = False

    @property
    def passes(self) -> int:
        """Each row is a batch of its own."""
        return PASSES_AT_ONCE

    def run(self, inputs: Arrays) -> Arrays:
        """Search row by row; see `Work.run`."""
        with torch.no_grad():
            logits = self.model.network(torch.from_numpy(inputs[0])).numpy()
        flips = [self._flip(inputs, row, logits[row]) for row in range(len(logits))]
        outputs = zip(*flips, strict=True)
        return (logits, *(np.stack(output) for output in outputs))

    def _flip(self, inputs: Arrays, row: int, logits: Float32s) -> Arrays:
        window = inputs[0][row]
        editor = self._editor(inputs, row)
        flip = smallest_flip(self.model.network, editor, logits, self.foil, self.seed)
        original = editor.original if isinstance(editor, BarEditor) else np.full(5, np.nan)
        return _outputs(flip, window, original, isinstance(editor, FeatureEditor))

    def _editor(self, inputs: Arrays, row: int) -> Editor:
        window, statistics = inputs[0][row], self.model.statistics
        deviation = statistics.deviation.numpy()
        if self.with_bars:
            columns, (tick, price_limit, previous) = inputs[1][row], inputs[2][row].tolist()
            series = from_columns(columns[0].astype(np.int64), columns[1:6], columns[6].astype(np.int64))
            rules = BarRules(tick, price_limit, previous)
            editor = BarEditor(self.model.spec, series, _volume_deviation(self.model, series), rules)
            if np.abs(editor.window - window).max() <= SAME_WINDOW:
                return editor
        return FeatureEditor(window, deviation)


def _volume_deviation(model: Model, series: Series) -> float:
    """Return the standard deviation of ln(volume), from training where the model has the feature, else of the bars."""
    names = model.spec.names
    if _VOLUME in names:
        return float(model.statistics.deviation[names.index(_VOLUME)])
    return float(np.log(series.volume + 1).std()) or 1.0


def _outputs(flip: Flip | None, window: Float32s, original: Floats, hypothetical: bool) -> Arrays:
    bars = np.stack([original, np.full(5, np.nan)])
    if flip is None:
        undefined = np.full_like(window, np.nan), np.full(3, np.nan, np.float32)
        return (*undefined, np.array(np.nan), bars, np.array(hypothetical))
    if flip.bar is not None:
        bars[1] = flip.bar
    return flip.window, flip.logits, np.array(flip.size), bars, np.array(hypothetical)
