"""The whole window on the bundled session."""

import os
import subprocess
import sys

import pytest
from glasstape import CalibrationState, Instrument
from glasstape_qt import i18n
from glasstape_qt.preview import load_preview
from glasstape_qt.state.alerts import AlertGroup, AlertNotification
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.state.watch_row import WatchRow
from glasstape_qt.views import window_layout
from glasstape_qt.views.main_window import MainWindow
from glasstape_qt.views.shortcuts import SHORTCUTS
from glasstape_qt.views.window_actions import MENUS
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QAction, QGuiApplication
from PyQt6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QTableView, QTextBrowser, QWidget
from stores import UP, confidence

NAMES = (
    "watchTable", "feedList", "detail", "candleChart", "heatmapView", "driversText", "methodChoice",
    "connectionState", "trustPanel",
)  # fmt: skip
PREVIEWS = (
    "detail.heatmap_view", "watch.watch_panel", "feed.feed_list", "detail.detail_view", "trust.trust_panel",
    "main_window",
)  # fmt: skip


def trigger(window, name):
    window.findChild(QAction, f"action_{name}").trigger()


def test_scripts_find_every_part_by_its_name(window, context):
    window.open_detail(context.newest().symbol)
    for name in NAMES:
        assert window.findChild(QWidget, name) is not None, name
    for name in (name for names in MENUS.values() for name in names):
        assert window.findChild(QAction, f"action_{name}") is not None, name


def test_a_double_click_on_a_row_opens_its_detail(window, qtbot):
    table, model = window.watch.table, window.watch.model
    point = table.visualRect(model.index(model.number("IBM"), 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=point)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=point)
    view = window.details.current()
    assert (view.symbol, view.isVisible()) == ("IBM", True)
    assert "IBM" in window.details.dock.windowTitle()


def test_an_ampersand_in_a_symbol_is_no_access_key(window, context):
    window.apply_changes(context.store.restore_rows([confidence("M&M.NS")]))
    for place in ("", "tab"):
        window.open_detail("M&M.NS", place)
    assert window.details.dock.windowTitle().startswith("M&&M.NS")
    assert [dock.windowTitle().split()[0] for dock in window.details.others] == ["M&&M.NS"]


def test_details_open_in_the_dock_in_tabs_and_in_windows(window):
    window.open_detail("AAPL")
    window.open_detail("IBM")
    assert [view.symbol for view in window.details.views()] == ["IBM"]
    window.open_detail("AAPL", "tab")
    window.open_detail("MSFT", "window")
    window.open_detail("MSFT", "window")
    assert sorted(view.symbol for view in window.details.views()) == ["AAPL", "IBM", "MSFT"]
    assert window.details.open_details() == ["IBM dock", "AAPL tab", "MSFT window"]
    window.details.others[0].close()
    assert window.open_detail("UNKNOWN") is None
    assert "UNKNOWN has no signal yet" in window.notice.text()


def test_a_buy_of_the_list_reopens_its_signal(window, context, qtbot):
    model = window.feed.model
    number = next(
        n for n in range(model.rowCount())
        if model.buy(n).event.confidence_sequence in context.session.explanations
    )  # fmt: skip
    buy = model.buy(number)
    window.feed.list.selectRow(number)
    qtbot.keyClick(window.feed.list, Qt.Key.Key_Return)
    view = window.details.current()
    assert view.symbol == buy.event.symbol
    assert view.detail.explained_signal.sequence == buy.event.confidence_sequence
    assert context.store.buys.get(buy.event.sequence).acknowledged


def test_the_trust_action_shows_the_trust_panel(window):
    assert not window.trust.isVisible()
    trigger(window, "trust")
    assert window.trust.isVisible()
    assert "UP and DOWN" in window.findChild(QTextBrowser, "trustText").toPlainText()


def test_a_replay_has_a_badge_and_the_clock_is_the_exchanges(window):
    window.status.refresh()
    assert window.status.replay.isVisible()
    assert window.status.replay.text().startswith("REPLAY")
    assert window.status.clock.text().split()[2] in ("EDT", "EST")
    assert window.status.connection.text().startswith("●")


def test_a_model_out_of_calibration_has_a_badge(window, context):
    assert not window.status.calibration.isVisible()
    context.store.connection.calibration = CalibrationState.BROKEN
    window.status.refresh()
    assert window.status.calibration.isVisible()
    assert window.status.calibration.text() == "OUT OF CALIBRATION"


def test_a_model_whose_inputs_have_drifted_has_a_badge(window, context):
    assert not window.status.drift.isVisible()
    context.store.connection.drifted = True
    window.status.refresh()
    assert window.status.drift.isVisible()
    assert window.status.drift.text() == "INPUTS DRIFTED"


def test_language_palette_theme_and_size_change_while_it_runs(window, context, qtbot):
    window.open_detail("IBM")
    english = {label.text() for label in window.findChildren(QLabel) if label.text()}
    preferences = context.preferences
    preferences.language, preferences.theme, preferences.zoom = "ko", "dark", 1.4
    window.apply_preferences()
    qtbot.wait(10)
    korean = {label.text() for label in window.findChildren(QLabel) if label.text()}
    same = {text for text in english & korean if any(sign.isalpha() for sign in text)}
    assert same <= {"sample-conv1d@1"}, same
    assert window.watch.search.placeholderText().startswith("찾기")
    assert window.menuBar().actions()[0].text() == "파일(&F)"
    assert window.font().pointSizeF() == pytest.approx(14)
    assert window.palette().window().color().name() == "#16181d"
    assert "가장 크게 작용한 것" in window.details.current().text_view.toPlainText()


def test_the_zoom_actions_stay_within_limits(window, context):
    for _ in range(30):
        trigger(window, "bigger")
    assert context.preferences.zoom == 3.0
    trigger(window, "smaller")
    assert context.preferences.zoom == 2.9
    trigger(window, "usual")
    assert context.preferences.zoom == 1.0


def test_every_control_has_an_accessible_name(window, context):
    window.open_detail("IBM")
    dialogs = [
        window.dialogs.settings(window.apply_preferences, window.store.model),
        window.dialogs.profiles(window.connect_to),
        window.dialogs.shortcuts(),
    ]
    for root in (window, *dialogs):
        for kind in (QAbstractButton, QComboBox, QLineEdit, QTableView):
            for control in root.findChildren(kind):
                if control.objectName().startswith("qt_") or not control.isVisibleTo(root):
                    continue
                text = control.accessibleName() or getattr(control, "text", str)()
                assert text or control.parent().accessibleName(), (
                    type(control).__name__,
                    control.objectName(),
                )
    for dialog in dialogs:
        dialog.close()


def test_shortcuts_are_unique_and_all_are_listed(window):
    assert len(set(SHORTCUTS.values())) == len(SHORTCUTS)
    dialog = window.dialogs.shortcuts()
    text = dialog.findChild(QTextBrowser).toPlainText()
    for name, key in SHORTCUTS.items():
        assert key in text
        assert i18n.tr(f"action.{name}") in text
    dialog.close()


def test_an_alert_is_a_line_and_a_sound(window):
    rows = tuple(WatchRow(confidence(f"S{n}", UP), Instrument(symbol=f"S{n}")) for n in range(50))
    window.apply_changes(
        StoreChanges(
            alerts=[AlertGroup(rows, backlog=False)],
            notification=AlertNotification(rows, sound=True, notify=True),
        )
    )
    assert window.notifier.sounds_played == 1
    assert "50 symbols" in window.alerts.text()
    window.apply_changes(StoreChanges(alerts=[AlertGroup(rows[:2], backlog=True)]))
    assert window.alerts.text().startswith("▲ Entered UP while disconnected: S0: up 55.0%")
    assert window.notifier.sounds_played == 1


def test_windows_columns_and_details_are_restored(context, qtbot):
    first = MainWindow(context.store, context.link, context.appearance, context.preferences)
    qtbot.addWidget(first)
    first.resize(1000, 640)
    first.show()
    first.open_detail("IBM")
    first.open_detail("AAPL", "tab")
    first.watch.table.setColumnWidth(0, 133)
    first.close()
    text = context.preferences.model_dump_json()
    again = MainWindow(context.store, context.link, context.appearance, Preferences.model_validate_json(text))
    qtbot.addWidget(again)
    again.show()
    assert again.height() == first.height() == 640  # the offscreen screen is narrower than the window
    assert again.watch.table.columnWidth(0) == 133
    assert again.details.open_details() == ["IBM dock", "AAPL tab"]
    again.close()


def test_a_window_outside_every_screen_is_moved_back(window):
    window.move(QPoint(90_000, 90_000))
    window_layout.move_to_screen(window)
    assert QGuiApplication.primaryScreen().availableGeometry().intersects(window.frameGeometry())


def test_a_layout_that_cannot_be_read_keeps_the_default(context, qtbot):
    context.preferences.layouts = {"window:2": "%%%", "docks:2": "AAAA", "watch:2": "", "feed:99": "AAAA"}
    window = MainWindow(context.store, context.link, context.appearance, context.preferences)
    qtbot.addWidget(window)
    window.show()
    assert window.watch.table.isVisible()
    window.close()


def test_connecting_to_another_profile_clears_the_store(window, context):
    context.preferences.profiles.append(Profile(name="other", address="127.0.0.1:1"))
    window.open_detail("IBM")
    window.connect_to("other")
    assert (context.link.profile.name, context.link.address) == ("other", "127.0.0.1:1")
    assert context.store.rows == {}
    assert window.details.views() == []


@pytest.mark.parametrize("size", [(1280, 800), (2560, 1440), (900, 600)])
def test_the_contents_fit_into_the_window(qapp, qtbot, size):
    i18n.set_language("ko")
    context = load_preview(
        Preferences(language="ko", zoom=1.0, profiles=[Profile(name="demo", session="demo")])
    )
    window = MainWindow(context.store, context.link, context.appearance, context.preferences)
    qtbot.addWidget(window)
    window.resize(*size)
    window.show()
    window.open_detail("IBM")
    qtbot.wait(10)
    assert (window.width(), window.height()) == size
    window.close()


def test_widgets_run_alone():
    code = (
        "import runpy\n"
        "from PyQt6.QtCore import QTimer; from PyQt6.QtWidgets import QApplication; app = QApplication([])\n"
        f"for name in {PREVIEWS!r}:\n"
        "    QTimer.singleShot(200, app.quit)\n"
        "    runpy.run_module(f'glasstape_qt.views.{name}', run_name='__main__')\n"
        "    print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(PREVIEWS)
