"""The desktop against a scripted server, without a screen."""

import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
from glasstape import (
    Direction,
    Disconnected,
    EventBatch,
    Explanation,
    Heatmap,
    Method,
    Prediction,
    Quantity,
    Score,
    UnavailableError,
)
from glasstape.testing import MODEL, FakeServer, make_buy, make_confidence, make_confidence_event
from glasstape_qt.heatmap import HEADER_HEIGHT, NAMES_WIDTH, HeatmapView, cell_colour
from glasstape_qt.link import Link
from glasstape_qt.state import Desk
from glasstape_qt.table import CONFIDENCE, SORT_ROLE, WatchModel, background
from glasstape_qt.window import MainWindow
from PyQt6.QtCore import QModelIndex, Qt
from PyQt6.QtTest import QAbstractItemModelTester

UP = make_confidence(0.2, 0.25, 0.55)
DOWN = make_confidence(0.5, 0.2, 0.3)


@pytest.fixture
def opened(qtbot):
    with FakeServer() as server:
        desk = Desk()
        link = Link(server.address, desk)
        window = MainWindow(desk, link)
        qtbot.addWidget(window)
        window.show()
        link.start()
        yield server, desk, window
        window.close()


def batch(*events):
    return EventBatch(events=events, conflated_count=0, snapshot=False)


def test_the_state_needs_no_qt():
    code = "import glasstape_qt.state, sys; print([m for m in sys.modules if m.startswith('PyQt6')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_rows_take_the_newest_confidence_and_the_status_is_told():
    desk = Desk(MODEL)
    assert desk.take(batch(make_confidence_event("A", DOWN), make_confidence_event("A", UP))) == {"A"}
    assert desk.rows["A"].event.signal.confidence.direction is Direction.UP
    assert desk.take(batch(make_buy("A"))) == set()
    assert desk.buys == 1
    desk.take(Disconnected(error=UnavailableError("gone"), retry_in=timedelta(seconds=2), attempt=1))
    assert desk.status == "disconnected, next try in 2.0 s: gone"


def test_the_colour_runs_over_the_models_ramp_and_stays_faint_unless_up_won():
    desk = Desk(MODEL)
    desk.take(
        batch(
            make_confidence_event("LOW", make_confidence(0.3, 0.35, 0.33)),
            make_confidence_event("TOP", make_confidence(0.2, 0.2, 0.6)),
            make_confidence_event("DOWN", make_confidence(0.51, 0.0, 0.49)),
        )
    )
    colours = {symbol: background(desk, row) for symbol, row in desk.rows.items()}
    assert colours["LOW"].name() == "#ffffff"
    assert colours["TOP"].green() < colours["DOWN"].green() < 255
    assert 255 - colours["DOWN"].green() <= 0.26 * (255 - 69)
    assert cell_colour(1.0).green() > cell_colour(1.0).red()
    assert cell_colour(-1.0).green() < cell_colour(-1.0).blue()
    assert cell_colour(0.0).name() == "#ffffff"


def test_the_table_model_keeps_qts_rules_and_sorts_by_numbers(qtbot):
    desk = Desk(MODEL)
    model = WatchModel(desk)
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.refresh(desk.take(batch(make_confidence_event("B", UP), make_confidence_event("005930", DOWN))))
    assert model.rowCount() == 2
    with qtbot.waitSignal(model.dataChanged):
        model.refresh(desk.take(batch(make_confidence_event("B", DOWN))))
    assert model.data(model.index(1, 0)) == "005930"
    assert model.data(model.index(0, CONFIDENCE), SORT_ROLE) == pytest.approx(0.3)
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.data(QModelIndex()) is None


def test_signals_fill_the_table_live_and_survive_a_broken_stream(opened, qtbot):
    server, desk, window = opened
    server.emit(make_confidence_event("A", UP))
    server.emit(make_confidence_event("삼성", DOWN))
    model = window.table.model()
    qtbot.waitUntil(lambda: model.rowCount() == 2, timeout=5000)
    server.break_streams()
    server.emit(make_confidence_event("C", UP))
    qtbot.waitUntil(lambda: model.rowCount() == 3, timeout=10_000)
    assert desk.model == MODEL
    window.search.setText("삼성")
    assert model.rowCount() == 1
    window.search.setText("")


def test_a_double_click_opens_the_detail_which_waits_for_its_map(opened, qtbot):
    server, _, window = opened
    server.emit(make_confidence_event("A", UP))
    qtbot.waitUntil(lambda: window.table.model().rowCount() == 1, timeout=5000)
    window.table.sortByColumn(CONFIDENCE, Qt.SortOrder.DescendingOrder)
    window.open_detail(window.table.model().index(0, 0))
    assert window._detail.isVisible()
    assert "UP: down 20.0%" in window._words.text()
    picture = window.grab().toImage()
    assert picture.width() > 600


def painted(qtbot, values, native, quantity=Quantity.RELEVANCE):
    """Colours of a painted map, (time, feature), read beside the numbers."""
    heatmap = Heatmap(
        values=np.asarray(values, np.float32),
        quantity=quantity,
        native_shape=native,
        upsampled=native != (6, 8),
    )
    said = Prediction(model=None, confidence=UP, error=None)
    explanation = Explanation(
        prediction=said, method=Method.GRAD_CAM, score_kind=Score.LOGIT, baseline=None, heatmap=heatmap,
        score=None, baseline_score=None, completeness_error=None, samples=0, target=Direction.UP, foil=None,
        quality=None, drivers=(),
    )  # fmt: skip
    view = HeatmapView()
    qtbot.addWidget(view)
    view.resize(NAMES_WIDTH + 6 * 60, HEADER_HEIGHT + 8 * 40)
    view.show_map(explanation, MODEL)
    image = view.grab().toImage()
    return [
        [image.pixelColor(NAMES_WIDTH + 60 * t + 3, HEADER_HEIGHT + 40 * f + 3).name() for f in range(8)]
        for t in range(6)
    ]


def test_a_coarse_map_is_painted_in_its_own_blocks(qtbot):
    values = np.repeat(np.array([[0.0], [1], [2], [3], [4], [5]]), 8, axis=1)
    bars = painted(qtbot, values, (6, 1))
    assert all(len(set(column)) == 1 for column in bars)
    assert len({column[0] for column in bars}) == 6


def test_a_map_that_shows_nothing_is_not_stretched_to_full_colour(qtbot):
    noise = np.random.default_rng(0).normal(size=(6, 8)) * 1e-12
    assert {colour for column in painted(qtbot, noise, (6, 8)) for colour in column} == {"#ffffff"}
    noise[0, 0] = np.nan
    assert painted(qtbot, noise, (6, 8))[0][0] == "#ffffff"
