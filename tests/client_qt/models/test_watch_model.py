from dataclasses import replace

import pytest
from glasstape import DataState, Instrument
from glasstape_qt import i18n
from glasstape_qt.models.watch_model import COLUMNS, WatchModel
from PyQt6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PyQt6.QtTest import QAbstractItemModelTester
from stores import DOWN, FLAT, UP, apply, batch, confidence, make_store

DISPLAY, ACCESSIBLE = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole


@pytest.fixture
def model(qapp, appearance):
    model = WatchModel(make_store())
    model.tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    return model


def add(model, *events):
    model.update_rows(apply(model.store, batch(*events)).rows)


def text(model, symbol, column):
    return model.data(model.index(model.number(symbol), COLUMNS.index(column)), DISPLAY)


def test_new_rows_are_added_and_known_ones_repainted(model, qtbot):
    add(model, confidence("B", UP, 1), confidence("005930", DOWN, 2))
    assert model.symbols == ["005930", "B"]
    with qtbot.waitSignal(model.dataChanged) as changed:
        add(model, confidence("B", DOWN, 3))
    assert [index.row() for index in changed.args[:2]] == [1, 1]
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.data(QModelIndex()) is None


def test_numbers_sort_as_numbers_and_selections_stay_with_their_rows(model):
    add(model, *(confidence(f"S{n}", UP, n + 1, close=price) for n, price in enumerate((9.0, 100.0, 10.2))))
    kept = QPersistentModelIndex(model.index(model.number("S1"), 0))
    model.sort(COLUMNS.index("price"), Qt.SortOrder.DescendingOrder)
    assert model.symbols == ["S1", "S2", "S0"]
    model.sort(COLUMNS.index("price"), Qt.SortOrder.AscendingOrder)
    assert model.symbols == ["S0", "S2", "S1"]
    assert model.symbols[kept.row()] == "S1"


def test_rows_move_once_a_second_and_never_under_the_mouse(model):
    model.sort(COLUMNS.index("price"), Qt.SortOrder.AscendingOrder)
    add(model, confidence("A", UP, 1, close=1.0), confidence("B", UP, 2, close=2.0))
    add(model, confidence("A", UP, 3, close=3.0))
    assert model.symbols == ["A", "B"]
    model.frozen = True
    model.arrange()
    assert model.symbols == ["A", "B"]
    model.frozen = False
    model.arrange()
    assert model.symbols == ["B", "A"]


def test_filters_and_groups_narrow_what_is_shown_and_later_rows_too(model):
    model.store.describe([], [Instrument(symbol="005930", local_name="삼성전자")])
    add(model, confidence("005930", UP, 1), confidence("A", DOWN, 2), confidence("B", FLAT, 3))
    model.set_filter("ㅅㅅ")
    assert model.symbols == ["005930"]
    model.set_filter("down")
    add(model, confidence("C", DOWN, 4), confidence("D", UP, 5))
    assert model.symbols == ["A", "C"]
    model.set_filter("", ["D", "A"])
    assert model.symbols == ["A", "D"]
    model.set_filter("")
    assert len(model.symbols) == 5


def test_a_reset_empties_the_table(model):
    add(model, confidence("A", UP, 1), confidence("B", UP, 2))
    model.store.rows.clear()
    model.update_rows(set(), reset=True)
    assert model.rowCount() == 0


def test_cell_texts(model):
    model.store.describe([], [Instrument(symbol="A", name="Apple", exchange="XKRX", price_decimals=0)])
    add(
        model,
        confidence("A", replace(UP, abstained=True, novelty=0.25), 1, close=13_000.0, previous=10_000.0),
    )
    assert text(model, "A", "name") == "Apple"
    assert text(model, "A", "price") == "13,000"
    assert text(model, "A", "change") == "upper limit ▲ 30.00%"
    assert text(model, "A", "confidence") == "20% · 25% · 55%"
    assert text(model, "A", "direction") == "▲ UP (abstained)"
    assert text(model, "A", "novelty") == "25%"
    assert text(model, "A", "model") == "fake@1"


def test_age_and_expiry_are_of_the_markets_clock(model):
    add(model, confidence("A", UP, 1, days=0), confidence("B", UP, 2, days=-9))
    assert text(model, "A", "age") == "0 s"
    assert text(model, "A", "expiry") == "2 d 0 h"
    assert text(model, "B", "expiry") == "expired"


def test_replayed_and_old_rows_are_marked(model):
    model.store.restore_rows([confidence("OLD", UP, 1)])
    add(model, confidence("R", UP, 2, state=DataState.REPLAY))
    model.update_rows({"OLD"})
    assert text(model, "OLD", "market") == "old"
    assert text(model, "R", "market") == "replay"


def test_every_cell_and_title_has_accessible_text(model):
    add(model, confidence("A", UP, 1))
    for column, name in enumerate(COLUMNS):
        index = model.index(0, column)
        assert model.data(index, ACCESSIBLE).startswith(i18n.tr(f"column.{name}"))
        assert "55.0%" in model.data(index, Qt.ItemDataRole.AccessibleDescriptionRole)
        assert model.headerData(column, Qt.Orientation.Horizontal, ACCESSIBLE)
        assert model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)


def test_texts_change_with_the_language(model):
    add(model, confidence("A", UP, 1))
    i18n.set_language("ko")
    model.retranslate()
    assert text(model, "A", "direction") == "▲ 상승"
    assert model.headerData(0, Qt.Orientation.Horizontal, DISPLAY) == "코드"


def test_ranks_sort_by_place_and_late_symbols_follow_by_score(model):
    ranks = {
        "FIRST": (0.3, 1, 12),
        "TENTH": (-0.1, 10, 12),
        "LATE": (0.9, None, None),
        "NONE": (None, None, None),
    }
    for number, (symbol, values) in enumerate(ranks.items()):
        event = confidence(symbol, UP, number + 1)
        named = dict(zip(("rank_score", "close_rank", "close_size"), values, strict=True))
        add(model, replace(event, signal=replace(event.signal, **named)))
    model.sort(COLUMNS.index("rank"), Qt.SortOrder.AscendingOrder)
    assert model.symbols == ["FIRST", "TENTH", "LATE", "NONE"]
    assert [text(model, symbol, "rank") for symbol in model.symbols] == ["1 / 12", "10 / 12", "+0.900", ""]
    tooltip = model.data(model.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert "Rank within the close: 1 / 12" in tooltip
