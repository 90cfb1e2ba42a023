"""The device's share of a counterfactual: the search for the smallest edit that flips the class."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glasstape_server.domain.values import Direction, Float32s, Floats
from glasstape_server.engine.work import Columns
from glasstape_server.explain.edits import BarEditor, BarRules, Editor, FeatureEditor
from glasstape_server.explain.method import PASSES_AT_ONCE
from glasstape_server.explain.methods.counterfactual import Flip, smallest_flip
from glasstape_server.features.series import Series, from_columns
from glasstape_server.models.model import Model

SAME_WINDOW = 1e-4
"""Largest difference of a window that its bars must reproduce, to be edited as bars."""
_VOLUME = "relative_volume"
"""Feature whose deviation is that of a bar's ln(volume)."""


@dataclass(frozen=True, slots=True)
class Flips:
    """What came of a search; NaN where nothing was found or nothing is defined."""

    logits: Float32s  # (n, 3) of the unedited windows
    window: Float32s  # (n, time, feature) after the edit
    edited_logits: Float32s  # (n, 3) of those
    size: Floats  # (n,) length of the edit in standard deviations
    bars: Floats  # (n, 2, 5) open, high, low, close, volume before and after
    hypothetical: NDArray[np.bool_]  # (n,) features were edited, not a bar


@dataclass(frozen=True, slots=True)
class FlipClass:
    """Search the smallest edit of the last bar.

    Rows: windows; where there are bars also columns close time, open, high, low, close, volume and session
    (n, 7, bar), and the rules tick, price limit and previous session close (n, 3). Columns: those of `Flips`.
    """

    model: Model
    foil: Direction | None = None
    seed: int = 0
    with_bars: bool = False

    @property
    def passes(self) -> int:
        """A search of its own for each row."""
        return PASSES_AT_ONCE

    def run(self, rows: Columns) -> Columns:
        """Search row by row."""
        with torch.no_grad():
            logits = self.model.network(torch.from_numpy(rows[0])).numpy()
        found = [self._flip(rows, row, logits[row]) for row in range(len(logits))]
        columns = zip(*found, strict=True)
        return (logits, *(np.stack(column) for column in columns))

    def _flip(self, rows: Columns, row: int, logits: Float32s) -> Columns:
        window = rows[0][row]
        editor = self._editor(rows, row)
        flip = smallest_flip(self.model.network, editor, logits, self.foil, self.seed)
        original = editor.original if isinstance(editor, BarEditor) else np.full(5, np.nan)
        return _columns(flip, window, original, isinstance(editor, FeatureEditor))

    def _editor(self, rows: Columns, row: int) -> Editor:
        window, statistics = rows[0][row], self.model.statistics
        deviation = statistics.deviation.numpy()
        if self.with_bars:
            columns, (tick, price_limit, previous) = rows[1][row], rows[2][row].tolist()
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


def _columns(flip: Flip | None, window: Float32s, original: Floats, hypothetical: bool) -> Columns:
    bars = np.stack([original, np.full(5, np.nan)])
    if flip is None:
        nothing = np.full_like(window, np.nan), np.full(3, np.nan, np.float32)
        return (*nothing, np.array(np.nan), bars, np.array(hypothetical))
    if flip.bar is not None:
        bars[1] = flip.bar
    return flip.window, flip.logits, np.array(flip.size), bars, np.array(hypothetical)
