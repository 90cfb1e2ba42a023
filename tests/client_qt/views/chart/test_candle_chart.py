"""The chart is read, moved and zoomed with mouse and keyboard."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from chart_bars import bars
from glasstape_qt.views.chart.last_price import countdown_text
from glasstape_qt.views.chart.price_scale import round_values
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from stores import START, outcome


def settle():
    for _ in range(3):
        QApplication.processEvents()


def scene_point(chart, number, price):
    point = QPointF(number, chart.price_scale.to_y(price))
    return chart.panes.price.view.mapViewToScene(point)


def hover(chart, number, price):
    settle()
    QTest.mouseMove(chart.viewport(), chart.mapFromScene(scene_point(chart, number, price)))
    settle()


def test_the_crosshair_names_price_and_time_and_leaves_with_the_mouse(chart, qtbot):
    described = []
    chart.bar_described.connect(described.append)
    hover(chart, 280, 380.0)
    assert chart.highlighted_bar == 280
    assert chart.crosshair.time_label.text == f"{START + timedelta(days=280):%Y-%m-%d}"
    assert float(chart.crosshair.price_label.text) == pytest.approx(380.0, abs=1.0)
    assert "C 380.00" in described[-1]
    QApplication.sendEvent(chart, QEvent(QEvent.Type.Leave))
    assert chart.highlighted_bar == -1
    assert (chart.crosshair.time_label.text, chart.crosshair.price_label.text) == ("", "")
    assert "C 399.00" in described[-1]


def test_the_crosshair_is_in_every_pane(chart):
    settle()
    area = chart.panes.get("volume").view.sceneBoundingRect()
    QTest.mouseMove(chart.viewport(), chart.mapFromScene(area.center()))
    settle()
    assert chart.highlighted_bar > 0
    assert chart.crosshair.price_label.text
    assert chart.panes.price.view.sceneBoundingRect().bottom() <= area.top() + 1


def test_the_keyboard_reads_bars_and_reopens_their_signals(chart, qtbot):
    hovered, clicked = [], []
    chart.hovered.connect(hovered.append)
    chart.signal_clicked.connect(clicked.append)
    for key, bar in (
        (Qt.Key.Key_Left, 299),
        (Qt.Key.Key_Left, 298),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_End, 299),
    ):
        qtbot.keyClick(chart, key)
        assert hovered[-1] == chart.highlighted_bar == bar
    low, high = chart.visible_range
    assert low < 299 < high
    for _ in range(4):
        qtbot.keyClick(chart, Qt.Key.Key_Left)
    assert "DOWN 50%" in chart.accessibleDescription()
    qtbot.keyClick(chart, Qt.Key.Key_Return)
    assert clicked == [8]
    qtbot.keyClick(chart, Qt.Key.Key_Escape)
    assert (chart.highlighted_bar, hovered[-1]) == (-1, -1)


def test_keys_and_wheel_zoom_the_bars(chart, qtbot):
    def width():
        low, high = chart.visible_range
        return high - low

    before = width()
    qtbot.keyClick(chart, Qt.Key.Key_Plus)
    assert width() == pytest.approx(before / 1.25)
    qtbot.keyClick(chart, Qt.Key.Key_Minus)
    assert width() == pytest.approx(before)
    chart.show_bars(60)
    assert width() == pytest.approx(64, abs=2)
    assert chart.following


class Drag:
    """A drag of the mouse from one point of the scene by a step."""

    def __init__(self, x, y):
        self._step = QPointF(x, y)

    def accept(self):
        pass

    def pos(self):
        return self._step

    def lastPos(self):
        return QPointF(0, 0)


def test_dragging_an_axis_zooms_it_and_dragging_the_chart_moves_it(chart):
    view = chart.panes.price.view
    (low, high), (bottom, top) = chart.visible_range, chart.price_range
    view.mouseDragEvent(Drag(0, 100), axis=1)
    assert chart.price_range[1] - chart.price_range[0] > 1.5 * (top - bottom)
    zoomed = chart.price_range
    view.mouseDragEvent(Drag(50, 0))
    assert chart.visible_range[0] < low
    assert chart.price_range == pytest.approx(zoomed)
    assert not chart.following
    chart.reset_height()
    assert chart.price_range[1] - chart.price_range[0] < 1.2 * (top - bottom)
    view.mouseDragEvent(Drag(80, 0), axis=0)
    assert chart.visible_range[1] - chart.visible_range[0] < high - low


def test_the_chart_cannot_be_moved_into_nothing(chart):
    view = chart.panes.price.view
    for step in (40, -40):
        for _ in range(200):
            view.mouseDragEvent(Drag(step, 0))
        low, high = chart.visible_range
        assert high > 0
        assert low < 300


def test_older_bars_are_wanted_near_the_oldest_and_keep_the_view(chart, detail, qtbot):
    with qtbot.waitSignal(chart.older_wanted, timeout=1000):
        for _ in range(6):
            qtbot.keyClick(chart, Qt.Key.Key_PageUp)
    low, high = chart.visible_range
    assert detail.add_older(bars(200, first=-200)) == 200
    chart.refresh()
    assert chart.visible_range == pytest.approx((low + 200, high + 200))
    assert chart.count == 500
    newer = bars(1, first=300)[0]
    detail.recent_bars = [*detail.recent_bars, newer]
    assert len(detail.bars) == 501


def test_a_forming_bar_moves_the_last_price_without_a_new_drawing(chart, detail):
    forming = replace(bars(1, first=300)[0], close=450.0, high=450.0, provisional=True)
    detail.forming = forming
    chart.refresh()
    assert chart.count == 301
    chart.show_last_price(timedelta(seconds=75))
    assert chart.last_price.label.text == "450.00\n1:15"
    assert chart.update_forming(replace(forming, close=440.0))
    chart.show_last_price(None)
    assert chart.last_price.label.text == "440.00"
    assert not chart.update_forming(replace(forming, close_time=forming.close_time + timedelta(days=1)))
    detail.add_history([replace(forming, provisional=False)], [])
    chart.refresh()
    assert chart.count == 301


def test_scales_map_prices_and_label_them(chart):
    assert chart.price_scale.text(chart.price_scale.to_y(1234.5)) == "1,234.50"
    chart.preferences.scale = "log"
    chart.refresh()
    low, high = chart.price_range
    assert low < 280 < 400 < high
    assert chart.price_scale.text(chart.price_scale.to_y(250.0)) == "250.00"
    labels = [
        chart.price_scale.to_price(y)
        for _, ys in chart.panes.price.right.tickValues(2.0, 3.0, 400)
        for y in ys
    ]
    assert labels == pytest.approx([100 * n for n in range(1, 11)])
    chart.preferences.scale = "percent"
    chart.refresh()
    first = chart.framed.bars[int(chart.visible_range[0]) + (chart.visible_range[0] > 0)].close
    assert chart.price_scale.base == pytest.approx(first, abs=1.0)
    assert chart.price_scale.text(1.5 * chart.price_scale.base) == "+50.00%"


def test_weeks_are_built_from_days_and_stay_linked(chart, detail):
    chart.set_frame("1w")
    assert chart.count == 43
    chart.highlight(299)
    assert chart.highlighted_bar == 299
    assert chart.input_window == (chart.framed.position(290), chart.framed.position(295))
    assert chart.marker_symbols == {7: "t1", 8: "t"}
    chart.set_frame("")
    assert chart.count == 300


def test_markers_leave_the_wicks_free(chart, detail):
    settle()
    for sequence, price, side in ((7, detail.bars[290].low, 1), (8, detail.bars[295].high, -1)):
        wick = scene_point(chart, 0, price).y()
        marker = chart.mapToScene(chart.marker_position(sequence)).y()
        assert side * (marker - wick) > 5


def test_the_horizon_of_the_shown_signal_runs_from_the_next_close(chart, detail):
    detail.pin(detail.signal(7))
    detail.add_outcome(outcome("A", 7))
    chart.refresh()
    assert chart.markers.horizon == [(291, 391.0), (292, 392.0)]
    detail.pin(None)
    chart.refresh()
    assert chart.markers.horizon == [(296, 396.0), (297, 397.0)]


def test_the_time_labels_do_not_collide(chart):
    for count in (20, 60, 300):
        chart.show_bars(count)
        settle()
        axis = next(pane.time for pane in chart.panes if pane.name == "volume")
        low, high = chart.visible_range
        (_, ticks), *_ = axis.tickValues(low, high, 500)
        gap = (ticks[1] - ticks[0]) / (high - low) * 500
        assert gap > axis.fontMetrics().horizontalAdvance("26-01-05")


def test_prices_of_twenty_thousand_bars_are_drawn_around_the_view_only(chart, detail):
    detail.recent_bars = bars(20_000, first=-19_700)
    detail.max_bars = 20_000
    chart.refresh()
    first, last = chart.drawn
    assert last - first < 500
    chart.show_bars(5000)
    first, last = chart.drawn
    assert (first, last) == (9999, 19_999)


@pytest.mark.parametrize(
    ("low", "high", "count", "values"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (97, 131, 4, [100, 110, 120, 130]),
        (1, 1, 4, []),
        (-0.1, 0.1, 2, [-0.1, 0, 0.1]),
    ],
)
def test_ticks_are_at_round_values(low, high, count, values):
    assert round_values(low, high, count) == pytest.approx(values)


def test_a_countdown_is_as_long_as_it_must_be():
    texts = [countdown_text(timedelta(seconds=s)) for s in (5, 75, 3_600 * 5 + 61, 3_600 * 50, -3)]
    assert texts == ["0:05", "1:15", "5:01:01", "2d 2h", "0:00"]


def test_a_chart_without_bars_says_so(chart, detail):
    detail.recent_bars = []
    chart.refresh()
    assert "No bars" in chart.accessibleDescription()
    chart.show_detail(detail, UTC, 6)
