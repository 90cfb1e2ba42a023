"""Details on the bundled session: the shown map is the server's explanation."""

import ast
from dataclasses import replace

import numpy as np
import pytest
from glasstape import GlasstapeError, Method
from glasstape_qt.state.preferences import BOTH_MAPS
from glasstape_qt.views.detail.detail_view import DetailView
from glasstape_qt.views.detail.explanation_text import headline
from glasstape_qt.views.detail.heatmap_view import HeatmapView
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QLabel


def compared(view, method):
    """Title and map of one method in the comparison."""
    return (
        view.comparison.findChild(QLabel, f"compareTitle_{method.value}"),
        view.comparison.findChild(HeatmapView, f"compare_{method.value}"),
    )


def test_the_map_is_the_servers_explanation_of_the_shown_signal(view, context):
    recorded = context.session.explanations[context.newest().sequence]
    for number, method in enumerate((Method.SCALED_PATH_GRADIENT, Method.INTEGRATED_GRADIENTS)):
        shown = view.maps.panes[number].view.content.explanation
        assert shown.method is method
        truth = next(item for item in recorded if item.method is method)
        np.testing.assert_array_equal(shown.heatmap.values, truth.heatmap.values)
    assert view.detail.explained_signal.sequence == context.newest().sequence


def test_the_columns_of_the_map_are_the_last_bars_of_the_chart(view, context):
    bars, steps, count = view.heatmap_view.content.bars, context.model().time_steps, len(view.detail.bars)
    assert len(bars) == steps
    assert bars[-1] == view.detail.bars[-1]
    assert tuple(bar.close_time for bar in bars) == view.heatmap_view.content.explanation.bar_close_times
    assert view.chart.input_window == (count - steps, count - 1)


def test_the_hovered_bar_is_linked_between_map_and_chart(view, context, qtbot):
    steps, count = context.model().time_steps, len(view.detail.bars)
    qtbot.mouseMove(view.heatmap_view, view.heatmap_view.cell_rect(0, 0).center().toPoint())
    assert view.chart.highlighted_bar == count - steps
    view.chart.hovered.emit(count - 1)
    assert view.heatmap_view.highlighted_bar == steps - 1
    view.chart.hovered.emit(0)
    assert view.heatmap_view.highlighted_bar == -1


def test_the_chart_follows_the_keyboard_cursor_of_the_map(view, qtbot):
    view.heatmap_view.setFocus()
    qtbot.keyClick(view.heatmap_view, Qt.Key.Key_Right)
    qtbot.keyClick(view.heatmap_view, Qt.Key.Key_Left)
    qtbot.keyClick(view.heatmap_view, Qt.Key.Key_Down)
    assert "high ·" in view.heatmap_view.accessibleDescription()
    assert view.chart.highlighted_bar == len(view.detail.bars) - 2


def test_the_methods_of_the_model_are_offered_and_the_selected_one_is_shown(view, context):
    offered = [view.method.itemData(n) for n in range(view.method.count())]
    methods = [m.value for m in context.model().methods if m is not Method.COUNTERFACTUAL]
    assert offered == [BOTH_MAPS, *methods]
    assert view.method.currentData() == BOTH_MAPS
    view.method.setCurrentIndex(view.method.findData("gradient"))
    assert view.heatmap_view.content.explanation.method is Method.GRADIENT
    assert context.preferences.method == "gradient"


def test_a_failed_explanation_shows_its_error_and_clears_the_text(view):
    view.score.setCurrentIndex(view.score.findData("logit"))
    assert view.heatmap_view.content is None
    assert "not in this recording" in view.heatmap_view.message
    assert view.text_view.toPlainText() == ""
    view.score.setCurrentIndex(view.score.findData("unspecified"))
    assert view.heatmap_view.content is not None


def test_the_text_has_drivers_and_after_the_checks_the_verdict_on_each_map(view, qtbot):
    qtbot.waitUntil(
        lambda: "Reliability of this map (contribution): " in view.text_view.toPlainText(), timeout=5000
    )
    text = view.text_view.toPlainText()
    assert text.startswith("Strongest drivers, for or against ")
    assert "of all weight" in text
    assert "Reliability of this map (importance): " in text


def test_a_past_signal_reopens_with_its_own_bars_map_and_confidences(view, context):
    past = next(e for e in view.detail.signals if e.sequence in context.session.explanations)
    view.reopen(past.sequence)
    assert view.detail.pinned == past
    assert "past signal" in view.headline.text()
    assert f"{past.signal.probabilities.up:.1%}" in view.headline.text()
    assert view.heatmap_view.content.bars[-1].close_time == past.bar_close_time
    assert view.live_button.isVisible()
    view.live_button.click()
    assert view.detail.pinned is None
    assert view.heatmap_view.content.bars[-1] == view.detail.bars[-1]


def test_a_click_on_a_marker_reopens_its_signal(view, context, qtbot):
    sequence = next(s for s in view.chart.marker_symbols if s in context.session.explanations)
    viewport, point = view.chart.viewport(), view.chart.marker_position(sequence)
    qtbot.mouseMove(viewport, point)
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    assert view.detail.pinned.sequence == sequence


def test_markers_show_the_outcomes_of_signals(view):
    symbols = view.chart.marker_symbols
    hits = {event.sequence: view.detail.was_hit(event) for event in view.detail.signals}
    assert {True, False, None} <= {hits[sequence] for sequence in symbols}
    for sequence, symbol in symbols.items():
        assert symbol in {True: ("o",), False: ("x",), None: ("t", "t1")}[hits[sequence]]


def test_every_method_is_compared_at_its_own_resolution(view, context):
    view.compare()
    methods = [m for m in context.model().methods if m is not Method.COUNTERFACTUAL]
    assert len(methods) > 8
    for method in methods:
        title, shown = compared(view, method)
        native = shown.content.explanation.heatmap.native_shape
        assert title.text().endswith(f"{native[0]} × {native[1]}"), method
    bars = compared(view, Method.SHAPLEY_BARS)[1].content.explanation
    assert bars.heatmap.native_shape == (context.model().time_steps, 1)


def test_copied_python_computes_the_shown_explanation(view):
    view.copy_button.click()
    code = QGuiApplication.clipboard().text()
    ast.parse(code)
    assert f"signals=[{view.detail.selected_signal.sequence}]" in code
    assert "['scaled_path_gradient', 'integrated_gradients']" in code
    view.method.setCurrentIndex(view.method.findData("occlusion"))
    view.copy_button.click()
    assert "['occlusion']" in QGuiApplication.clipboard().text()


def test_one_color_scale_serves_all_symbols_unless_it_is_turned_off(view, context, qtbot):
    other = next(symbol for symbol in context.store.rows if symbol != view.symbol)
    second = DetailView(other, context.store, context.link, context.appearance, context.preferences)
    qtbot.addWidget(second)
    view.restyle()
    assert second.heatmap_view.content.full_value == view.heatmap_view.content.full_value
    peaks = {v.heatmap_view.content.explanation.heatmap.full_color for v in (view, second)}
    assert view.heatmap_view.content.full_value == max(peaks)
    context.preferences.shared_scale = False
    view.restyle()
    assert view.heatmap_view.content.full_value == view.heatmap_view.content.explanation.heatmap.full_color


def test_an_unknown_signal_is_reported_and_the_shown_one_stays(view):
    before = view.headline.text()
    view.reopen(999_999)
    assert "no longer in the server's journal" in view.notice.text()
    assert view.headline.text() == before
    assert view.detail.pinned is None


def test_bars_with_nan_prices_are_left_out_of_the_scale_of_the_chart(view):
    bars = view.detail.recent_bars
    middle = len(bars) // 2
    view.detail.recent_bars = [
        replace(bar, low=float("nan")) if n == middle else bar for n, bar in enumerate(bars)
    ]
    view.restyle()
    visible = bars[-view.chart.preferences.bars :]
    low, high = view.chart.price_range
    assert low < min(bar.low for bar in visible) <= max(bar.high for bar in visible) < high
    before = view.chart.price_range
    view.detail.recent_bars = [replace(bar, low=float("nan"), volume=0.0) for bar in bars]
    view.restyle()
    assert view.chart.price_range == before


class SlowLink:
    """Holds requests back until they are released, in any order."""

    def __init__(self, link):
        self.client = link.client
        self.address = "localhost:1"
        self.held = []

    def request(self, key, call, on_result, on_error):
        self.held.append((key.split(":")[0], call, on_result, on_error))

    def release(self, kind, number=0):
        held = [request for request in self.held if request[0] == kind][number]
        self.held.remove(held)
        _, call, on_result, on_error = held
        try:
            result = call(self.client)
        except GlasstapeError as error:
            on_error(error)
            return
        on_result(result)


@pytest.fixture
def slow(context, qtbot):
    link = SlowLink(context.link)
    view = DetailView(context.newest().symbol, context.store, link, context.appearance, context.preferences)
    qtbot.addWidget(view)
    return view, link


def test_a_late_result_of_an_older_request_is_dropped(slow):
    view, link = slow
    view.method.setCurrentIndex(view.method.findData("occlusion"))
    link.release("heatmap", 1)
    assert view.heatmap_view.content.explanation.method is Method.OCCLUSION
    link.release("heatmap", 0)  # both maps, requested before
    assert view.heatmap_view.content.explanation.method is Method.OCCLUSION


def test_a_late_error_of_an_older_request_is_dropped(slow):
    view, link = slow
    view.score.setCurrentIndex(view.score.findData("logit"))  # not in the recording
    view.score.setCurrentIndex(view.score.findData("unspecified"))
    link.release("heatmap", 2)
    assert view.heatmap_view.content is not None
    link.release("heatmap", 1)
    assert view.heatmap_view.content is not None


def test_a_late_comparison_of_another_signal_is_dropped(slow, context):
    view, link = slow
    view.detail.add_history([], link.client.history(symbols=[view.symbol]))
    view.compare()
    past = next(e for e in view.detail.signals if e.sequence in context.session.explanations)
    view.reopen(past.sequence)
    kinds = [held[0] for held in link.held]
    older, newer = (number for number, kind in enumerate(kinds) if kind == "compare gradient")
    assert older < newer
    link.release("compare gradient", 0)
    assert compared(view, Method.GRADIENT)[1].content is None
    link.release("compare gradient", 0)
    assert compared(view, Method.GRADIENT)[1].content is not None


def test_missing_bars_of_the_window_are_in_the_headline(context):
    event, row = context.newest(), context.store.rows[context.newest().symbol]
    assert "missing" not in headline(event, row, pinned=False)
    signal = replace(event.signal, missing_bars=2)
    assert "missing bars: 2" in headline(replace(event, signal=signal), row, pinned=False)
    signal = replace(event.signal, missing_symbols=3)
    assert "symbols missing at the close: 3" in headline(replace(event, signal=signal), row, pinned=False)


def test_a_symbol_without_a_signal_has_a_chart(context, qtbot):
    symbol = context.newest().symbol
    context.store.rows.pop(symbol)
    detail_view = DetailView(symbol, context.store, context.link, context.appearance, context.preferences)
    qtbot.addWidget(detail_view)
    detail_view.detail.clear()
    detail_view.refresh()
    assert detail_view.chart.count > 100
    assert detail_view.headline.text() == f"{symbol} has no signal yet."


def test_copied_python_uses_the_zone_and_language_of_the_screen(view):
    view.copy_button.click()
    code = QGuiApplication.clipboard().text()
    assert "in_words(explanation, 'en', ZoneInfo('America/New_York'))" in code


def test_features_come_from_the_windows_that_the_model_got(view, context):
    explained = view.detail.explanations[0]
    values = view.detail.features["rsi"]
    column = [feature.name for feature in context.model().features].index("rsi")
    for number, closed in enumerate(explained.bar_close_times):
        assert values[closed] == pytest.approx(float(explained.window[number, column]))


def test_a_picture_is_captioned_with_signal_and_model(view):
    shown = view.detail.shown
    caption = view.charted.caption()
    assert f"signal {shown.sequence}" in caption
    assert f"{shown.model.name}@{shown.model.version}, {shown.model.digest[:12]}" in caption


def test_older_bars_are_loaded_while_scrolling_back(view):
    newest = view.detail.recent_bars
    view.detail.recent_bars = newest[-150:]
    view.chart.refresh()
    for _ in range(3):
        view.chart.panes.price.view.zoom_bars(1.5)
    assert len(view.detail.recent_bars) > 150
    assert view.detail.recent_bars == sorted(view.detail.recent_bars, key=lambda bar: bar.close_time)
