import csv
from dataclasses import replace

import pytest
from desks import DOWN, UP, batch, confidence, feed, make_desk, opened
from glasstape import Instrument
from glasstape.testing import make_confidence
from glasstape_qt.look.colours import contrast
from glasstape_qt.models.watch import COLUMNS
from glasstape_qt.views.watch_panel import WatchPanel
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QGuiApplication


@pytest.fixture
def panel(qtbot, appearance, preferences):
    desk = make_desk()
    made = WatchPanel(desk, appearance, preferences)
    qtbot.addWidget(made)
    made.resize(1200, 500)
    made.show()
    return made


def take(panel, *events):
    panel.take(feed(panel._desk, batch(*events)))


def painted(panel, symbol, column):
    """Colour of a cell's corner, where no text is."""
    index = panel.model.index(panel.model.number(symbol), COLUMNS.index(column))
    rect = panel.table.visualRect(index)
    return panel.table.viewport().grab(rect).toImage().pixelColor(2, 2)


def test_the_row_takes_the_colour_of_its_buy_confidence(panel, preferences, qtbot):
    preferences.motion = False
    take(
        panel,
        confidence("ABOVE", make_confidence(0.1, 0.2, 0.7), 1),
        confidence("BASE", make_confidence(0.3, 0.37, 0.33), 2),
        confidence("DOWN", make_confidence(0.51, 0.0, 0.49), 3),
    )
    qtbot.wait(20)
    above, base, down = (painted(panel, symbol, "name") for symbol in ("ABOVE", "BASE", "DOWN"))
    assert contrast(base, QColor("#ffffff")) < 1.1  # no colour at the base rate
    assert above.red() > above.green() + 80
    assert base.green() > down.green() > above.green()  # faint: UP did not win
    assert above.name() == panel.table._delegate.ground(panel._desk.rows["ABOVE"], 0).name()


def test_the_same_confidence_is_another_colour_in_another_market(panel, preferences, appearance, qtbot):
    take(panel, confidence("A", make_confidence(0.1, 0.2, 0.7), 1))
    seen = set()
    for palette in ("korea", "west", "okabe-ito"):
        preferences.palette = palette
        appearance.apply(preferences)
        qtbot.wait(10)
        seen.add(painted(panel, "A", "name").name())
    assert len(seen) == 3


def test_a_selected_row_keeps_its_colour_and_is_framed(panel, qtbot):
    take(panel, confidence("A", make_confidence(0.1, 0.2, 0.7), 1))
    qtbot.wait(10)
    before = painted(panel, "A", "name")
    panel.table.select("A")
    qtbot.wait(10)
    rect = panel.table.visualRect(panel.model.index(0, 1))
    image = panel.table.viewport().grab(rect).toImage()
    assert image.pixelColor(2, 6).name() == before.name()
    assert image.pixelColor(40, 1).name() != before.name()


def test_a_changed_class_glows_and_fades_and_not_at_all_for_who_cannot_bear_motion(
    panel, preferences, appearance
):
    take(panel, confidence("A", DOWN, 1))
    take(panel, confidence("A", make_confidence(0.3, 0.3, 0.4), 2))
    row, delegate = panel._desk.rows["A"], panel.table._delegate
    calm = delegate.ground(replace(row, flashed=0.0), 0).name()
    assert delegate.ground(row, 0).name() != calm
    panel._desk._now.seconds += 1.0
    assert delegate.ground(row, 0).name() == calm
    panel._desk._now.seconds -= 1.0
    preferences.motion = False
    appearance.apply(preferences)
    assert delegate.ground(row, 0).name() == calm
    panel.table._flash.stop()


@pytest.mark.parametrize(
    ("modifier", "place"),
    [
        (Qt.KeyboardModifier.NoModifier, ""),
        (Qt.KeyboardModifier.ControlModifier, "tab"),
        (Qt.KeyboardModifier.ShiftModifier, "window"),
    ],
)
def test_enter_opens_where_it_is_asked_to(panel, qtbot, modifier, place):
    take(panel, confidence("A", UP, 1))
    panel.table.select("A")
    with qtbot.waitSignal(panel.opened) as opened:
        qtbot.keyClick(panel.table, Qt.Key.Key_Return, modifier)
    assert opened.args == ["A", place]


def test_a_double_click_opens(panel, qtbot):
    take(panel, confidence("A", UP, 1))
    point = panel.table.visualRect(panel.model.index(0, 0)).center()
    with qtbot.waitSignal(panel.opened) as opened:
        qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=point)
        qtbot.mouseDClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert opened.args == ["A", ""]


def test_typing_filters_and_an_empty_table_says_why(panel, qtbot):
    assert "No signals yet" in panel._empty.text()
    take(panel, confidence("AAPL", UP, 1), confidence("005930", DOWN, 2))
    qtbot.keyClicks(panel.search, "0059")
    assert panel.model.symbols == ["005930"]
    panel.search.setText("없음")
    assert panel._empty.isVisible()
    assert "No symbol matches" in panel._empty.text()
    panel.search.clear()
    assert panel._count.text() == "2 of 2"


def test_copied_rows_are_text_and_exported_ones_can_be_checked_by_a_program(panel, qtbot, tmp_path):
    take(panel, confidence("A", UP, 7, close=12.5), confidence("B", DOWN, 8))
    panel.table.selectAll()
    qtbot.keyClick(panel.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["A", "B"]
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


def test_groups_are_made_chosen_and_kept(panel, preferences):
    take(panel, confidence("A", UP, 1), confidence("B", UP, 2), confidence("C", UP, 3))
    panel.add_to_group("반도체", ["A", "C"])
    panel.groups.setCurrentIndex(panel.groups.findData("반도체"))
    assert panel.model.symbols == ["A", "C"]
    assert preferences.groups == {"반도체": ["A", "C"]}
    panel.remove_from_group("반도체", ["A"])
    assert panel.model.symbols == ["C"]
    panel.remove_from_group("반도체", ["C"])
    assert preferences.groups == {}
    assert len(panel.model.symbols) == 3


def test_columns_are_hidden_kept_and_brought_back(panel, preferences):
    take(panel, confidence("A", UP, 1))
    for action in panel.column_menu().actions():
        if action.text() == "Novelty":
            action.trigger()
    assert preferences.hidden_columns == ["novelty"]
    assert panel.table.isColumnHidden(COLUMNS.index("novelty"))
    panel.reset_columns()
    assert preferences.hidden_columns == []
    assert not panel.table.isColumnHidden(COLUMNS.index("novelty"))


def test_the_legend_says_the_ramp_in_numbers(panel):
    take(panel, confidence("A", UP, 1))
    sentence = panel.legend.accessibleName()
    assert "33.0%" in sentence
    assert "50.0%" in sentence
    assert "45.0%" in sentence
    assert "fake@1" in sentence


def test_rows_fade_while_the_link_is_down_and_come_back(panel, preferences, qtbot):
    preferences.motion = False
    take(panel, confidence("A", make_confidence(0.1, 0.2, 0.7), 1))
    connection, delegate = panel._desk.connection, panel.table._delegate
    connection.opened(opened())
    panel.watch_link()
    full = delegate.ground(panel._desk.rows["A"], 0)
    panel._desk._now.seconds += 3
    connection.tick()
    panel.watch_link()
    faded = delegate.ground(panel._desk.rows["A"], 0)
    assert faded.green() > full.green() + 40
    connection.heard()
    panel.watch_link()
    assert delegate.ground(panel._desk.rows["A"], 0).name() == full.name()


def test_names_from_the_server_are_text_and_nothing_else(panel, tmp_path):
    panel._desk.describe(
        [], [Instrument(symbol="A", name="<h1>SELL</h1>", exchange="", time_zone="Mars/Phobos")]
    )
    take(panel, confidence("A", UP, 1))
    tip = panel.model.data(panel.model.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert "&lt;h1&gt;" in tip
    panel._desk.describe([], [Instrument(symbol="A", name='=HYPERLINK("http://x")')])
    panel.export(tmp_path / "rows.csv")
    assert "\"'=HYPERLINK(" in (tmp_path / "rows.csv").read_text("utf-8-sig")
