import csv

import pytest
from glasstape import Instrument
from glasstape.testing import make_confidence
from glasstape_qt.models.watch_columns import COLUMNS
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.colors import contrast
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QColor, QGuiApplication, QInputMethodEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QLabel
from stores import DOWN, UP, confidence, opened

STRONG = make_confidence(0.1, 0.2, 0.7)


def label(panel, name):
    return panel.findChild(QLabel, name)


def painted(panel, symbol, column):
    """Color of a cell's corner, where no text is."""
    index = panel.model.index(panel.model.number(symbol), COLUMNS.index(column))
    rect = panel.table.visualRect(index)
    return panel.table.viewport().grab(rect).toImage().pixelColor(2, 2)


def test_a_row_has_the_color_of_its_buy_confidence(panel, add, preferences, qtbot):
    preferences.motion = False
    add(
        confidence("ABOVE", STRONG, 1),
        confidence("BASE", make_confidence(0.3, 0.37, 0.33), 2),
        confidence("DOWN", make_confidence(0.51, 0.0, 0.49), 3),
    )
    qtbot.wait(20)
    above, base, down = (painted(panel, symbol, "name") for symbol in ("ABOVE", "BASE", "DOWN"))
    assert contrast(base, QColor("#ffffff")) < 1.1  # no color at the base rate
    assert above.red() > above.green() + 80
    assert base.green() > down.green() > above.green()  # faint: UP is not the winner
    assert above.name() == panel.table.row_color("ABOVE").name()


def test_the_color_follows_the_palette(panel, add, preferences, appearance, qtbot):
    add(confidence("A", STRONG, 1))
    colors = set()
    for palette in ("korea", "west", "okabe-ito"):
        preferences.palette = palette
        appearance.apply(preferences)
        qtbot.wait(10)
        colors.add(painted(panel, "A", "name").name())
    assert len(colors) == 3


def test_a_selected_row_keeps_its_color_and_is_framed(panel, add, qtbot):
    add(confidence("A", STRONG, 1))
    qtbot.wait(10)
    before = painted(panel, "A", "name")
    panel.table.select("A")
    qtbot.wait(10)
    rect = panel.table.visualRect(panel.model.index(0, 1))
    image = panel.table.viewport().grab(rect).toImage()
    assert image.pixelColor(2, 6).name() == before.name()
    assert image.pixelColor(40, 1).name() != before.name()


def test_a_changed_class_flashes_and_fades_unless_motion_is_off(panel, add, clock, preferences, appearance):
    add(confidence("A", DOWN, 1))
    add(confidence("A", make_confidence(0.3, 0.3, 0.4), 2))
    flashing = panel.table.row_color("A").name()
    clock.seconds += 1.0
    plain = panel.table.row_color("A").name()
    assert flashing != plain
    clock.seconds -= 1.0
    assert panel.table.row_color("A").name() == flashing
    preferences.motion = False
    appearance.apply(preferences)
    assert panel.table.row_color("A").name() == plain
    panel.hide()  # stops the animation


@pytest.mark.parametrize(
    ("modifier", "place"),
    [
        (Qt.KeyboardModifier.NoModifier, ""),
        (Qt.KeyboardModifier.ControlModifier, "tab"),
        (Qt.KeyboardModifier.ShiftModifier, "window"),
    ],
)
def test_enter_opens_a_detail_in_dock_tab_or_window(panel, add, qtbot, modifier, place):
    add(confidence("A", UP, 1))
    panel.table.select("A")
    with qtbot.waitSignal(panel.detail_requested) as requested:
        qtbot.keyClick(panel.table, Qt.Key.Key_Return, modifier)
    assert requested.args == ["A", place]


def test_a_double_click_opens_a_detail(panel, add, qtbot):
    add(confidence("A", UP, 1))
    point = panel.table.visualRect(panel.model.index(0, 0)).center()
    with qtbot.waitSignal(panel.detail_requested) as requested:
        qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=point)
        qtbot.mouseDClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert requested.args == ["A", ""]


def test_typing_filters_and_an_empty_table_says_why(panel, add, qtbot):
    placeholder = label(panel, "watchPlaceholder")
    assert "No signals yet" in placeholder.text()
    add(confidence("AAPL", UP, 1), confidence("005930", DOWN, 2))
    qtbot.keyClicks(panel.search, "0059")
    assert panel.model.symbols == ["005930"]
    panel.search.setText("없음")
    assert placeholder.isVisible()
    assert "No symbol matches" in placeholder.text()
    panel.search.clear()
    assert label(panel, "watchCount").text() == "2 of 2"


def test_rows_are_copied_as_text_and_exported_as_csv(panel, add, qtbot, tmp_path):
    add(confidence("A", UP, 7, close=12.5), confidence("B", DOWN, 8))
    panel.table.selectAll()
    qtbot.keyClick(panel.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    copied = QGuiApplication.clipboard().mimeData()
    titles, first, second = (line.split("\t") for line in copied.text().splitlines())
    assert (titles[0], titles[2], first[0], first[2], second[0]) == ("Code", "Close", "A", "12.5", "B")
    assert copied.html().count("<tr>") == 3
    panel.export(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["sequence"], first["symbol"], float(first["up"]), float(first["close"])) == (
        "7",
        "A",
        0.55,
        12.5,
    )
    assert first["model_digest"] == "0" * 64


def test_copied_codes_stay_texts_in_a_spreadsheet(panel, add, qtbot):
    add(confidence("005930", UP, 1), confidence("=1+1", UP, 2))
    panel.table.selectAll()
    panel.table.copy()
    copied = QGuiApplication.clipboard().mimeData()
    assert [line.split("\t")[0] for line in copied.text().splitlines()] == ["Code", "005930", "'=1+1"]
    assert "mso-number-format:'\\@'\">005930</td>" in copied.html()


def test_the_order_is_held_while_the_mouse_moves_and_no_longer(panel, add, monkeypatch, qtbot):
    add(confidence("A", UP, 1), confidence("B", UP, 2))
    viewport = panel.table.viewport()
    for point in (QPoint(20, 20), QPoint(30, 24)):
        QTest.mouseMove(viewport, point)
    assert panel.model.frozen
    panel.update_freshness()
    panel.apply_changes(StoreChanges())
    assert label(panel, "watchCount").text() == "order held · 2 of 2"
    panel.table.hold_timer.timeout.emit()
    assert not panel.model.frozen


def test_a_zoom_and_back_restores_rows_and_columns(panel, add, preferences, appearance):
    add(confidence("A", UP, 1))
    panel.table.setColumnWidth(0, 111)

    def sizes():
        return panel.table.rowHeight(0), [panel.table.columnWidth(n) for n in range(len(COLUMNS) - 1)]

    before = sizes()
    for zoom in (1.7, 3.0, 0.7, 1.0):
        preferences.zoom = zoom
        appearance.apply(preferences)
        QApplication.processEvents()
    assert sizes() == before


def test_a_composed_syllable_filters_before_it_is_committed(panel, add, store):
    store.describe([], [Instrument(symbol="005930", local_name="삼성전자"), Instrument(symbol="X")])
    panel.apply_changes(StoreChanges(described=True))
    QApplication.sendEvent(panel.search, QInputMethodEvent("삼", []))
    assert panel.model.symbols == ["005930"]
    QApplication.sendEvent(panel.search, QInputMethodEvent("", []))
    assert panel.model.symbols == ["005930", "X"]


def test_groups_are_created_selected_and_stored(panel, add, preferences):
    add(confidence("A", UP, 1), confidence("B", UP, 2), confidence("C", UP, 3))
    panel.add_to_group("반도체", ["A", "C"])
    panel.groups.setCurrentIndex(panel.groups.findData("반도체"))
    assert panel.model.symbols == ["A", "C"]
    assert preferences.groups == {"반도체": ["A", "C"]}
    panel.remove_from_group("반도체", ["A"])
    assert panel.model.symbols == ["C"]
    panel.remove_from_group("반도체", ["C"])
    assert preferences.groups == {}
    assert len(panel.model.symbols) == 3


def test_columns_are_hidden_stored_and_reset(panel, add, preferences):
    add(confidence("A", UP, 1))
    for action in panel.column_menu().actions():
        if action.text() == "Novelty":
            action.trigger()
    assert preferences.hidden_columns == ["novelty"]
    assert panel.table.isColumnHidden(COLUMNS.index("novelty"))
    panel.reset_columns()
    assert preferences.hidden_columns == []
    assert not panel.table.isColumnHidden(COLUMNS.index("novelty"))


def test_the_legend_describes_the_ramp_in_numbers(panel, add):
    add(confidence("A", UP, 1))
    description = panel.legend.accessibleName()
    for part in ("33.0%", "50.0%", "45.0%", "fake@1"):
        assert part in description


def test_rows_fade_while_the_connection_is_silent(panel, add, store, clock, preferences):
    preferences.motion = False
    add(confidence("A", STRONG, 1))
    store.connection.opened(opened())
    panel.update_freshness()
    full = panel.table.row_color("A")
    clock.seconds += 3
    store.connection.check_silence()
    panel.update_freshness()
    faded = panel.table.row_color("A")
    assert faded.green() > full.green() + 40
    store.connection.mark_alive()
    panel.update_freshness()
    assert panel.table.row_color("A").name() == full.name()


def test_names_from_the_server_are_escaped(panel, add, store, tmp_path):
    store.describe([], [Instrument(symbol="A", name="<h1>SELL</h1>", exchange="", time_zone="Mars/Phobos")])
    add(confidence("A", UP, 1))
    tooltip = panel.model.data(panel.model.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert "&lt;h1&gt;" in tooltip
    store.describe([], [Instrument(symbol="A", name='=HYPERLINK("http://x")')])
    panel.export(tmp_path / "rows.csv")
    assert "\"'=HYPERLINK(" in (tmp_path / "rows.csv").read_text("utf-8-sig")


def test_symbols_that_begin_a_formula_are_escaped_in_exports(panel, add, tmp_path):
    add(confidence("=1+1", UP, 1), confidence("^GSPC", UP, 2))
    panel.export(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["symbol"] for row in csv.DictReader(file)} == {"'=1+1", "^GSPC"}
