"""Places of the window's parts: nothing moves, nothing is empty, everything fits the screen."""

from dataclasses import replace

import pytest
from glasstape_qt.state.alerts import AlertGroup
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.views import window_layout
from glasstape_qt.views.main_window import MainWindow
from PyQt6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication, QDockWidget


def rows_of(context, count):
    row = next(iter(context.store.rows.values()))
    return tuple(replace(row, event=replace(row.event, symbol=f"S{n}", sequence=n)) for n in range(count))


def places(window):
    QApplication.processEvents()
    parts = (window.watch.search, window.watch.table, window.feed.list)
    return [QRect(part.mapTo(window, QPoint(0, 0)), part.size()) for part in parts]


def test_alerts_move_nothing_and_none_is_lost(window, context):
    before = places(window)
    for row in rows_of(context, 4):
        window.apply_changes(StoreChanges(alerts=[AlertGroup((row,), backlog=False)]))
        assert places(window) == before
    assert [entry.row.symbol for entry in window.alerts.log] == ["S3", "S2", "S1", "S0"]
    window.alerts.fill_menu()
    texts = [action.text() for action in window.alerts.menu.actions() if action.text()]
    assert len(texts) == 5
    assert all(f"S{number}" in text for number, text in zip((3, 2, 1, 0), texts, strict=False))
    assert window.alerts.all.text() == "Alerts (4 new)"


def test_an_alert_opens_its_signal_and_counts_as_seen(window, context, qtbot):
    row = context.store.rows[context.newest().symbol]
    window.apply_changes(StoreChanges(alerts=[AlertGroup((row,), backlog=False)]))
    qtbot.mouseClick(window.alerts.newest, Qt.MouseButton.LeftButton)
    assert window.details.current().symbol == row.symbol
    assert window.alerts.log.unseen == 0


def test_a_notice_is_closed_by_its_button(window, qtbot):
    window.show_notice("recorded")
    assert window.notice.isVisible()
    qtbot.mouseClick(window.notice.close_button, Qt.MouseButton.LeftButton)
    assert not window.notice.isVisible()


def test_muted_and_snoozed_alerts_are_shown_and_undone_by_a_click(window, context):
    window.preferences.alerts.muted = True
    context.store.buys.snooze("IBM", context.store.now() + 60)
    window.tick()
    status = window.status
    assert (status.muted.text(), status.snoozed.text()) == ("MUTED", "1 SNOOZED")
    assert "IBM" in status.snoozed.toolTip()
    status.muted.click()
    status.snoozed.click()
    window.tick()
    assert not window.preferences.alerts.muted
    assert context.store.buys.snoozed == {}
    assert not status.muted.isVisible()
    assert not status.snoozed.isVisible()


@pytest.fixture
def restarted(context, qtbot):
    def start():
        window = MainWindow(context.store, context.link, context.appearance, context.preferences)
        qtbot.addWidget(window)
        window.show()
        return window

    return start


def test_the_first_window_fits_the_screen(restarted, qapp):
    window = restarted()
    free = qapp.primaryScreen().availableGeometry()
    assert window.width() <= free.width()
    assert window.height() < free.height()
    window.resize(free.width() + 300, free.height() + 300)
    window_layout.move_to_screen(window)
    assert window.size() == free.size()
    window.close()


def test_a_start_on_another_server_has_no_empty_detail_and_keeps_the_list(restarted, context):
    symbol, window = context.newest().symbol, restarted()
    window.open_detail(symbol)
    window.close()
    context.store.clear()
    window = restarted()
    assert window.details.dock.isHidden()
    window.close()
    assert context.preferences.open_details == [f"{symbol} dock"]


def test_a_detail_in_a_window_can_be_minimized_and_returns_to_its_place(restarted, context):
    symbol = context.newest().symbol
    window = restarted()
    window.open_detail(symbol, "window")
    dock = window.findChild(QDockWidget, f"detail:{symbol}:window")
    assert dock.windowFlags() & Qt.WindowType.WindowMinMaxButtonsHint
    dock.setGeometry(20, 30, 640, 540)
    QApplication.processEvents()
    window.close()
    window = restarted()
    window.open_detail(symbol, "window")
    dock = window.findChild(QDockWidget, f"detail:{symbol}:window")
    assert dock.geometry() == QRect(20, 30, 640, 540)
    window.close()


def test_the_order_shown_at_the_start_is_the_order_of_the_rows(restarted, context):
    window = restarted()
    window.watch.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    expected = window.watch.model.symbols
    window.close()
    window = restarted()
    assert window.watch.model.symbols == expected
    window.close()


def test_reset_layout_restores_the_columns_of_the_buys(window):
    before = window.feed.list.columnWidth(1)
    window.feed.list.setColumnWidth(1, 300)
    window._reset_layout()
    assert window.feed.list.columnWidth(1) == before


def test_the_wheel_does_not_change_a_choice_without_focus(window, context):
    view = window.open_detail(context.newest().symbol)
    for choice in (view.method, view.score):
        before = choice.currentIndex()
        event = QWheelEvent(
            QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(choice, event)
        assert event.type() is QEvent.Type.Wheel
        assert choice.currentIndex() == before


def test_the_window_has_an_icon(window):
    assert not window.windowIcon().isNull()
