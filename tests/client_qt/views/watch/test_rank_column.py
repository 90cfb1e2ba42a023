import csv
from dataclasses import replace

from glasstape_qt.models.watch_columns import COLUMNS
from PyQt6.QtCore import Qt
from stores import UP, confidence


def ranked(symbol, sequence, place):
    event = confidence(symbol, UP, sequence)
    signal = replace(event.signal, rank_score=0.1, close_rank=place, close_size=2)
    return replace(event, signal=signal)


def test_the_rank_column_is_shown_once_a_row_has_a_rank(panel, add, preferences, qtbot, tmp_path):
    rank = COLUMNS.index("rank")
    add(confidence("A", UP, 1))
    panel.reset_columns()
    assert panel.table.isColumnHidden(rank)
    assert not next(a for a in panel.column_menu().actions() if a.text() == "Rank").isEnabled()
    add(ranked("A", 2, 2), ranked("B", 3, 1))
    qtbot.waitUntil(lambda: not panel.table.isColumnHidden(rank))
    panel.table.sortByColumn(rank, Qt.SortOrder.AscendingOrder)
    assert panel.model.symbols == ["B", "A"]
    panel.export(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig") as file:
        assert [(row["symbol"], row["close_rank"]) for row in csv.DictReader(file)] == [
            ("B", "1"),
            ("A", "2"),
        ]
    next(a for a in panel.column_menu().actions() if a.text() == "Rank").trigger()
    add(ranked("A", 4, 1))
    assert panel.table.isColumnHidden(rank)
    assert preferences.hidden_columns == ["rank"]


def test_hiding_another_column_does_not_hide_ranks_that_come_later(panel, add, preferences, qtbot):
    add(confidence("A", UP, 1))
    next(a for a in panel.column_menu().actions() if a.text() == "Model").trigger()
    assert preferences.hidden_columns == ["model"]
    add(ranked("A", 2, 1))
    qtbot.waitUntil(lambda: not panel.table.isColumnHidden(COLUMNS.index("rank")))
