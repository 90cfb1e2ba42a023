from dataclasses import replace

import pytest
from glasstape import DataState, Instrument, QuoteBatch
from glasstape.testing import make_confidence
from glasstape_qt import i18n
from glasstape_qt.models import cell_texts
from glasstape_qt.models.watch_columns import COLUMNS
from glasstape_qt.models.watch_model import WatchModel
from PyQt6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PyQt6.QtTest import QAbstractItemModelTester
from stores import DOWN, FLAT, UP, apply, batch, confidence, make_store, outcome

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
    assert text(model, "A", "change") == "▲ 30.00% limit"
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


def forming(symbol, close, days=1, **values):
    bar = confidence(symbol, UP, days=days, close=close).signal.bar
    return replace(bar, provisional=True, **values)


def test_a_forming_bar_changes_price_and_change_until_it_is_final(model):
    add(model, confidence("A", UP, 1, close=100.0, previous=90.0))
    apply(model.store, QuoteBatch(bars=(forming("A", 120.0),)))
    assert (text(model, "A", "price"), text(model, "A", "change")) == ("120.00", "▲ 20.00%")
    model.sort(COLUMNS.index("price"))
    apply(model.store, QuoteBatch(bars=(forming("A", 119.5),)))
    assert text(model, "A", "price") == "119.50"
    assert model.store.quotes["A"].moved == -1
    apply(model.store, QuoteBatch(bars=(forming("A", 1.0, days=0), forming("A", 2.0, interval="1m"))))
    assert text(model, "A", "price") == "119.50"
    add(model, confidence("A", UP, 2, close=118.0, previous=100.0, days=1))
    assert (text(model, "A", "price"), text(model, "A", "change")) == ("118.00", "▲ 18.00%")


def test_instruments_without_a_signal_are_listed_last(model):
    instruments = [Instrument(symbol="B", name="Bravo"), Instrument(symbol="A")]
    model.store.describe([], instruments)
    model.arrange()
    add(model, confidence("Z", UP, 1))
    model.sort(COLUMNS.index("price"), Qt.SortOrder.DescendingOrder)
    assert (model.symbols, model.known) == (["Z", "A", "B"], 3)
    assert (text(model, "B", "name"), text(model, "B", "direction")) == ("Bravo", "no signal yet")
    model.set_filter("up")
    assert model.symbols == ["Z"]
    model.set_filter("bra")
    assert model.symbols == ["B"]
    apply(model.store, QuoteBatch(bars=(forming("B", 7.5),)))
    assert text(model, "B", "price") == "7.50"


def test_copied_cells_are_numbers_with_a_sign(model):
    add(model, confidence("A", UP, 1, close=80.0, previous=100.0))
    cells = {name: model.copied("A", name) for name in ("price", "change", "confidence", "code")}
    assert cells == {"price": [80.0], "change": [-20.0], "confidence": [20.0, 25.0, 55.0], "code": ["A"]}
    assert model.copied_titles("confidence") == ["DOWN (%)", "FLAT (%)", "UP (%)"]


def test_columns_of_bars_and_outcomes_are_filled_as_they_are_known(model):
    add(model, confidence("A", UP, 1, close=100.0))
    names = ("trend", "range", "turnover", "outcome", "hit", "up_change")
    assert [text(model, "A", name) for name in names] == ["", "", "", "", "", ""]
    add(model, confidence("A", make_confidence(0.3, 0.2, 0.5), 2, close=110.0, days=1))
    model.store.figures.recent_bars("A").load([])
    model.store.add_history([outcome("A", of=1, hit=True, moved=0.0123)])
    shown = {name: text(model, "A", name) for name in names}
    assert shown["trend"] == "+10.0%"
    assert (shown["outcome"], shown["hit"], shown["up_change"]) == ("✓ +1.23%", "100% (1)", "-5.0")
    bar = model.store.rows["A"].event.signal.bar
    assert shown["range"] == f"{bar.low:,.2f} – {bar.high:,.2f}"
    assert shown["turnover"] == cell_texts.amount(bar.volume * (bar.high + bar.low + bar.close) / 3)


def test_amounts_have_three_digits_in_the_units_of_the_language(appearance, preferences):
    values = (3, 1234, 56_789_000, 9.87e11, 3.4e12)
    assert [cell_texts.amount(value) for value in values] == ["3.00", "1.23k", "56.8M", "987B", "3.40T"]
    preferences.language = "ko"
    appearance.apply(preferences)
    assert [cell_texts.amount(value) for value in values] == ["3.00", "1,234", "5,679만", "9,870억", "3.40조"]


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
