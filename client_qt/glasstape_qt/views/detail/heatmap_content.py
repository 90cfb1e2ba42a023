"""What a heat map shows: an explanation with its model, bars, time zone and color scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from glasstape import Bar, Explanation, Model

from glasstape_qt.state import exchange
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.symbol_detail import SymbolDetail


@dataclass(frozen=True)
class HeatmapContent:
    """One heat map and what its axes and tooltips need."""

    explanation: Explanation
    """With a heat map of shape (time, feature), as the model's spec says."""
    model: Model
    bars: Sequence[Bar] = ()
    """Bars of the window, oldest first; empty if they are not loaded."""
    zone: tzinfo = UTC
    full_value: float = 1.0
    """Value of the strongest color."""
    digits: int = 3
    """Decimals of the numbers in the cells."""
    legend: tuple[str, str] | None = None
    """Texts at the ends of the color scale; None: what the map's quantity says."""


def model_of(explanation: Explanation | None, store: SignalStore) -> Model | None:
    """Return the description of an explanation's model; None if the server has not returned it."""
    reference = explanation.model if explanation is not None else None
    return store.models.get(reference.digest) if reference is not None else None


def content_of(
    explanation: Explanation | None, detail: SymbolDetail, store: SignalStore, *, shared_scale: bool
) -> HeatmapContent | None:
    """Return what to show of an explanation; None if it has no map or its model is not described.

    Args:
        explanation: of the detail's signal.
        detail: supplies the bars above the columns.
        store: supplies models, time zones and the shared color scale.
        shared_scale: use one color scale for all symbols.
    """
    model = model_of(explanation, store)
    if explanation is None or explanation.heatmap is None or model is None:
        return None
    window = detail.input_window(explanation.heatmap.values.shape[0])
    bars = detail.bars[window[0] : window[1] + 1] if window is not None else []
    full = store.color_scale.full_value(explanation) if shared_scale else explanation.heatmap.full_color
    return HeatmapContent(explanation, model, bars, exchange.zone(store.instrument(detail.symbol)), full)
