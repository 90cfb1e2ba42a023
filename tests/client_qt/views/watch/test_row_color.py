"""What of a row has the color of its confidence, and the bars that are loaded for rows in view."""

import pytest
from glasstape.testing import make_confidence
from glasstape_qt.models.watch_columns import COLUMNS
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.views.watch.bars_loader import AT_ONCE, BarsLoader
from glasstape_qt.views.watch.watch_panel import WatchPanel
from PyQt6.QtCore import QPoint
from stores import apply, batch, confidence, make_store

STRONG = make_confidence(0.1, 0.2, 0.7)


@pytest.fixture
def panel(qtbot, appearance, preferences):
    preferences.motion = False
    panel = WatchPanel(make_store(), appearance, preferences)
    qtbot.addWidget(panel)
    panel.resize(1200, 300)
    panel.show()
    panel.apply_changes(apply(panel.model.store, batch(confidence("A", STRONG, 1))))
    return panel


def painted(panel, column, x):
    rect = panel.table.visualRect(panel.model.index(0, COLUMNS.index(column)))
    picture = panel.table.viewport().grab(rect).toImage()
    return picture.pixelColor(QPoint(x, 2)).name()


@pytest.mark.parametrize(
    ("style", "strip", "cell"), [("row", True, True), ("strip", True, False), ("bar", False, False)]
)
def test_the_color_fills_the_row_a_strip_or_nothing(panel, preferences, appearance, style, strip, cell):
    preferences.row_color = style
    appearance.apply(preferences)
    color, plain = panel.table.row_color("A").name(), appearance.theme.base
    assert painted(panel, "code", 1) == (color if strip else plain)
    assert painted(panel, "name", 2) == (color if cell else plain)


class RecordingLink:
    """Keeps requests, and the changes that are emitted."""

    def __init__(self):
        self.requests, self.changed = {}, self
        self.emitted = []

    def request(self, key, call, on_result, on_error):
        self.requests[key] = (on_result, on_error)

    def emit(self, changes):
        self.emitted.append(changes)


def test_bars_are_loaded_for_rows_in_view_once_and_a_few_at_a_time():
    store, link = make_store(), RecordingLink()
    apply(store, batch(*(confidence(f"S{n}", STRONG, n + 1) for n in range(20))))
    store.in_view = frozenset(f"S{n}" for n in range(10))
    loader = BarsLoader(link, store)
    loader.load_in_view()
    loader.load_in_view()
    assert len(link.requests) == AT_ONCE
    for key, (on_result, on_error) in list(link.requests.items()):
        if key == "recent:S0":
            on_error(ValueError("gone"))
        else:
            on_result([])
    assert StoreChanges(rows={"S1"}) in link.emitted
    loader.load_in_view()
    assert set(link.requests) == {f"recent:S{n}" for n in range(10)}
