"""Details on the recorded session: what is drawn is what the server explained."""

import ast
from dataclasses import replace

import numpy as np
import pytest
from glasstape import GlasstapeError, Method, Quantity
from glasstape_qt.views.detail import DetailView
from glasstape_qt.views.heatmap import HeatmapView, Picture
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QGuiApplication


@pytest.fixture
def view(made, qtbot):
    opened = DetailView(made.newest().symbol, made.desk, made.link, made.appearance, made.preferences)
    qtbot.addWidget(opened)
    opened.resize(700, 900)
    opened.show()
    yield opened
    opened._settle.stop()


def test_the_map_is_the_servers_explanation_of_the_shown_signal(view, made):
    recorded = made.session.explanations[made.newest().sequence][0]
    shown = view.map.picture.explanation
    assert shown.method is Method.INTEGRATED_GRADIENTS
    np.testing.assert_array_equal(shown.heatmap.values, recorded.heatmap.values)
    assert view.detail.explained.sequence == made.newest().sequence


def test_the_columns_of_the_map_are_the_last_bars_of_the_chart(view):
    bars = view.map.picture.bars
    assert len(bars) == 6
    assert bars[-1] == view.detail.bars[-1]
    assert tuple(bar.close_time for bar in bars) == view.map.picture.explanation.bar_close_times
    region = view.chart._window.getRegion()
    assert region == (len(view.detail.bars) - 6.5, len(view.detail.bars) - 0.5)


def test_the_mouse_on_a_cell_marks_its_candle_and_back(view, qtbot):
    area = view.map._area()
    qtbot.mouseMove(view.map, QPoint(round(area.left() + 5), round(area.top() + 5)))
    assert view.chart._cross.isVisible()
    assert view.chart._cross.value() == len(view.detail.bars) - 6
    view.chart.hovered.emit(len(view.detail.bars) - 1)
    assert view.map._column == 5
    view.chart.hovered.emit(0)
    assert view.map._column == -1


def test_a_cell_tells_its_value_z_score_and_contribution(view):
    explanation, model = view.map.picture.explanation, view.map.picture.model
    sentence = view.map.sentence(5, 4)
    feature, value = model.features[4], float(explanation.window[5, 4])
    z = (value - feature.mean) / feature.standard_deviation
    assert f"{value:.4g}" in sentence
    assert f"{z:+.2f} σ" in sentence
    assert f"contribution: {float(explanation.heatmap.values[5, 4]):+.4f}" in sentence
    assert sentence.startswith("volume · ")


def test_cursor_keys_walk_over_the_cells_and_a_screen_reader_hears_them(view, qtbot):
    view.map.setFocus()
    qtbot.keyClick(view.map, Qt.Key.Key_Right)
    qtbot.keyClick(view.map, Qt.Key.Key_Left)
    qtbot.keyClick(view.map, Qt.Key.Key_Down)
    assert "high ·" in view.map.accessibleDescription()
    assert view.chart._cross.value() == len(view.detail.bars) - 2


def test_methods_are_those_that_the_model_serves_and_choosing_one_shows_it(view, made):
    offered = [view.method.itemData(n) for n in range(view.method.count())]
    assert offered == [m.value for m in made.model().methods if m is not Method.COUNTERFACTUAL]
    view.method.setCurrentIndex(view.method.findData("gradient"))
    assert view.map.picture.explanation.method is Method.GRADIENT
    assert made.preferences.method == "gradient"


def test_what_cannot_be_explained_is_said_and_the_words_do_not_stay(view):
    view.score.setCurrentIndex(view.score.findData("logit"))
    assert view.map.picture is None
    assert "not in this recording" in view.map._message
    assert view.words.toPlainText() == ""
    view.score.setCurrentIndex(view.score.findData("margin"))
    assert view.map.picture is not None


def test_drivers_verdict_and_counterfactual_are_in_words(view):
    view._ask_checks()
    text = view.words.toPlainText()
    assert text.startswith("What weighed most, for or against ")
    assert "of all weight" in text
    assert "How far to trust this map: with caution" in text
    assert "standard errors over 250 closes" in text  # why: the model's own skill is not proven


def test_a_past_signal_reopens_with_its_own_bars_map_and_confidences(view, made):
    past = next(e for e in view.detail.signals if e.sequence in made.session.explanations)
    view.reopen(past.sequence)
    assert view.detail.pinned == past
    assert "past signal" in view.head.text()
    assert f"{past.signal.confidence.up:.1%}" in view.head.text()
    assert view.map.picture.bars[-1].close_time == past.bar_close_time
    assert view.live.isVisible()
    view.live.click()
    assert view.detail.pinned is None
    assert view.map.picture.bars[-1] == view.detail.bars[-1]


def test_a_click_on_a_marker_reopens_its_signal(view, made):
    spots = view.chart._marks.points()
    assert len(spots) > 10
    spot = next(s for s in spots if s.data() in made.session.explanations)
    view.chart._clicked(None, [spot], None)
    assert view.detail.pinned.sequence == spot.data()


def test_markers_show_what_came_of_signals(view):
    outcomes = {e.sequence: view.detail.verdict(e) for e in view.detail.signals}
    symbols = {spot.data(): spot.symbol() for spot in view.chart._marks.points()}
    assert {True, False, None} <= {outcomes[sequence] for sequence in symbols}
    for sequence, symbol in symbols.items():
        assert symbol in {True: ("o",), False: ("x",), None: ("t", "t1")}[outcomes[sequence]]


def test_every_method_is_compared_at_its_own_resolution(view, made):
    view.compare()
    cells = view.comparison._cells
    assert set(cells) == {m for m in made.model().methods if m is not Method.COUNTERFACTUAL}
    for method, (title, shown) in cells.items():
        native = shown.picture.explanation.heatmap.native_shape
        assert title.text().endswith(f"{native[0]} × {native[1]}"), method
    assert cells[Method.SHAPLEY_BARS][1].picture.explanation.heatmap.native_shape == (6, 1)


def test_copied_python_gives_what_is_on_the_screen(view):
    view.copy.click()
    code = QGuiApplication.clipboard().text()
    ast.parse(code)
    assert f"signals=[{view.detail.shown.sequence}]" in code
    assert "method='integrated_gradients'" in code


def colours(view):
    area, picture = view._area(), view.picture
    bars, features = picture.explanation.heatmap.values.shape
    image = view.grab().toImage()
    found = {}
    for bar in range(bars):
        for feature in range(features):
            x = area.left() + (bar + 0.5) * area.width() / bars - area.width() / bars / 2 + 3
            y = area.top() + feature * area.height() / features + 3
            found[bar, feature] = image.pixelColor(QPointF(x, y).toPoint()).name()
    return found


def test_a_coarse_map_is_painted_in_its_own_blocks_and_an_unsigned_one_in_one_colour(made, qtbot):
    maps = {m.method: m for m in made.session.explanations[made.newest().sequence]}
    view = HeatmapView(made.appearance, compact=True)
    qtbot.addWidget(view)
    view.resize(600, 400)
    bars = maps[Method.SHAPLEY_BARS]
    view.show_picture(Picture(bars, made.model(), full=bars.heatmap.full_colour))
    seen = colours(view)
    assert all(len({seen[bar, feature] for feature in range(8)}) == 1 for bar in range(6))
    assert len({seen[bar, 0] for bar in range(6)}) > 1
    cam = maps[Method.GRAD_CAM]
    assert cam.heatmap.quantity is Quantity.RELEVANCE
    view.show_picture(Picture(cam, made.model(), full=cam.heatmap.full_colour))
    strongest = int(cam.heatmap.values[:, 0].argmax())
    assert colours(view)[strongest, 0] == made.appearance.colours.cell(1.0, signed=False).name()


def test_one_scale_serves_all_symbols_unless_the_trader_wants_their_own(view, made):
    other = next(symbol for symbol in made.desk.rows if symbol != view.symbol)
    second = DetailView(other, made.desk, made.link, made.appearance, made.preferences)
    view._refresh()
    assert second.map.picture.full == view.map.picture.full
    peaks = {v.map.picture.explanation.heatmap.full_colour for v in (view, second)}
    assert view.map.picture.full == max(peaks)
    made.preferences.shared_scale = False
    view._refresh()
    assert view.map.picture.full == view.map.picture.explanation.heatmap.full_colour
    second._settle.stop()
    second.deleteLater()


class SlowLink:
    """Holds questions back until they are let go, in any order."""

    def __init__(self, link):
        self._answers = link._answers
        self.address = "here"
        self.held = []

    def ask(self, key, question, then, otherwise):
        self.held.append((key.split(":")[0], question, then, otherwise))

    def let_go(self, kind, number=0):
        found = [held for held in self.held if held[0] == kind][number]
        self.held.remove(found)
        _, question, then, otherwise = found
        try:
            answer = question(self._answers)
        except GlasstapeError as error:
            otherwise(error)
            return
        then(answer)


@pytest.fixture
def slow(made, qtbot):
    link = SlowLink(made.link)
    opened = DetailView(made.newest().symbol, made.desk, link, made.appearance, made.preferences)
    qtbot.addWidget(opened)
    yield opened, link
    opened._settle.stop()


def test_a_late_answer_to_an_older_question_shows_nothing(slow):
    view, link = slow
    view.method.setCurrentIndex(view.method.findData("occlusion"))
    link.let_go("map", 1)
    assert view.map.picture.explanation.method is Method.OCCLUSION
    link.let_go("map", 0)  # integrated gradients, asked for before
    assert view.map.picture.explanation.method is Method.OCCLUSION


def test_a_late_failure_of_an_older_question_takes_nothing_away(slow):
    view, link = slow
    view.score.setCurrentIndex(view.score.findData("logit"))  # not in the recording
    view.score.setCurrentIndex(view.score.findData("margin"))
    link.let_go("map", 2)
    assert view.map.picture is not None
    link.let_go("map", 1)
    assert view.map.picture is not None


def test_a_late_comparison_of_another_signal_shows_nothing(slow, made):
    view, link = slow
    view.detail.fill([], link._answers.history(symbols=[view.symbol]))
    view.compare()
    past = next(e for e in view.detail.signals if e.sequence in made.session.explanations)
    view.reopen(past.sequence)
    kinds = [held[0] for held in link.held]
    older, newer = (number for number, kind in enumerate(kinds) if kind == "compare gradient")
    assert older < newer
    link.let_go("compare gradient", 0)
    assert view.comparison._cells[Method.GRADIENT][1].picture is None
    link.let_go("compare gradient", 0)
    assert view.comparison._cells[Method.GRADIENT][1].picture is not None


def test_a_signal_that_is_gone_is_said_and_what_is_shown_stays_what_it_is(view):
    before = view.head.text()
    view.reopen(999_999)
    assert "no longer in the server's journal" in view.notice.text()
    assert view.head.text() == before
    assert view.detail.pinned is None


def test_a_smaller_map_forgets_the_cell_that_was_pointed_at(view, made):
    view.map._point((5, 7))
    small = replace(
        view.map.picture.explanation.heatmap, values=np.ones((3, 3), np.float32), native_shape=(3, 3)
    )
    explanation = replace(view.map.picture.explanation, heatmap=small, window=None, bar_close_times=())
    model = replace(made.model(), features=made.model().features[:3], time_steps=3)
    view.map.show_picture(Picture(explanation, model))
    assert view.map._cell is None
    assert view.map.sentence(2, 2)


def test_prices_that_are_no_numbers_are_no_crash(view):
    bars = view.detail.recent
    view.detail.recent = [replace(bar, low=float("nan")) if n % 3 else bar for n, bar in enumerate(bars)]
    view._refresh()
    view.chart.grab()
    view.detail.recent = [replace(bar, low=float("nan"), volume=0.0) for bar in bars]
    view._refresh()
    view.chart.grab()
