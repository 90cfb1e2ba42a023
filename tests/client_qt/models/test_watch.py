from dataclasses import replace

import pytest
from desks import DOWN, FLAT, UP, batch, confidence, feed, make_desk
from glasstape import DataState, Instrument
from glasstape_qt import i18n
from glasstape_qt.models.watch import COLUMNS, WatchModel
from PyQt6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PyQt6.QtTest import QAbstractItemModelTester

DISPLAY, HEARD = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole


@pytest.fixture
def model(qapp, appearance):
    made = WatchModel(make_desk())
    made.tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    return made


def take(model, *events):
    model.take(feed(model.desk, batch(*events)).rows)


def said(model, symbol, column):
    return model.data(model.index(model.number(symbol), COLUMNS.index(column)), DISPLAY)


def test_new_rows_are_added_and_known_ones_repainted(model, qtbot):
    take(model, confidence("B", UP, 1), confidence("005930", DOWN, 2))
    assert model.symbols == ["005930", "B"]
    with qtbot.waitSignal(model.dataChanged) as told:
        take(model, confidence("B", DOWN, 3))
    assert [index.row() for index in told.args[:2]] == [1, 1]
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.data(QModelIndex()) is None


def test_numbers_sort_as_numbers_and_selections_stay_with_their_rows(model):
    take(model, *(confidence(f"S{n}", UP, n + 1, close=price) for n, price in enumerate((9.0, 100.0, 10.2))))
    kept = QPersistentModelIndex(model.index(model.number("S1"), 0))
    model.sort(COLUMNS.index("price"), Qt.SortOrder.DescendingOrder)
    assert model.symbols == ["S1", "S2", "S0"]
    model.sort(COLUMNS.index("price"), Qt.SortOrder.AscendingOrder)
    assert model.symbols == ["S0", "S2", "S1"]
    assert model.symbols[kept.row()] == "S1"


def test_rows_move_once_a_second_and_never_under_the_mouse(model):
    model.sort(COLUMNS.index("price"), Qt.SortOrder.AscendingOrder)
    take(model, confidence("A", UP, 1, close=1.0), confidence("B", UP, 2, close=2.0))
    take(model, confidence("A", UP, 3, close=3.0))
    assert model.symbols == ["A", "B"]
    model.frozen = True
    model.arrange()
    assert model.symbols == ["A", "B"]
    model.frozen = False
    model.arrange()
    assert model.symbols == ["B", "A"]


def test_filters_and_groups_narrow_what_is_shown_also_of_what_comes_later(model):
    model.desk.describe([], [Instrument(symbol="005930", local_name="삼성전자")])
    take(model, confidence("005930", UP, 1), confidence("A", DOWN, 2), confidence("B", FLAT, 3))
    model.filter("ㅅㅅ")
    assert model.symbols == ["005930"]
    model.filter("down")
    take(model, confidence("C", DOWN, 4), confidence("D", UP, 5))
    assert model.symbols == ["A", "C"]
    model.filter("", ["D", "A"])
    assert model.symbols == ["A", "D"]
    model.filter("")
    assert len(model.symbols) == 5


def test_history_that_was_lost_leaves_the_table(model):
    take(model, confidence("A", UP, 1), confidence("B", UP, 2))
    model.desk.rows.clear()
    model.take(set(), reset=True)
    assert model.rowCount() == 0


def test_cells_say_numbers_words_and_marks(model):
    model.desk.describe([], [Instrument(symbol="A", name="Apple", exchange="XKRX", price_decimals=0)])
    take(
        model,
        confidence("A", replace(UP, abstained=True, novelty=0.25), 1, close=13_000.0, previous=10_000.0),
    )
    assert said(model, "A", "name") == "Apple"
    assert said(model, "A", "price") == "13,000"
    assert said(model, "A", "change") == "upper limit ▲ 30.00%"
    assert said(model, "A", "confidence") == "20% · 25% · 55%"
    assert said(model, "A", "direction") == "▲ UP (abstained)"
    assert said(model, "A", "novelty") == "25%"
    assert said(model, "A", "model") == "fake@1"


def test_age_and_expiry_are_of_the_markets_clock(model):
    take(model, confidence("A", UP, 1, days=0), confidence("B", UP, 2, days=-9))
    assert said(model, "A", "age") == "0 s"
    assert said(model, "A", "expiry") == "2 d 0 h"
    assert said(model, "B", "expiry") == "expired"


def test_replayed_old_and_stale_rows_say_so(model):
    model.desk.remember([confidence("OLD", UP, 1)])
    take(model, confidence("R", UP, 2, state=DataState.REPLAY))
    model.take({"OLD"})
    assert said(model, "OLD", "market") == "old"
    assert said(model, "R", "market") == "replay"


def test_every_cell_and_title_speaks_to_a_screen_reader(model):
    take(model, confidence("A", UP, 1))
    for column, name in enumerate(COLUMNS):
        index = model.index(0, column)
        assert model.data(index, HEARD).startswith(i18n.say(f"column.{name}"))
        assert "55.0%" in model.data(index, Qt.ItemDataRole.AccessibleDescriptionRole)
        assert model.headerData(column, Qt.Orientation.Horizontal, HEARD)
        assert model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)


def test_another_language_is_spoken_at_once(model):
    take(model, confidence("A", UP, 1))
    i18n.use("ko")
    model.retranslate()
    assert said(model, "A", "direction") == "▲ 상승"
    assert model.headerData(0, Qt.Orientation.Horizontal, DISPLAY) == "코드"
