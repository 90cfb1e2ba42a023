"""The whole window on the recorded session."""

import subprocess
import sys
from dataclasses import replace

import pytest
from desks import UP, confidence
from glasstape import CalibrationState, Estimate, Instrument, LiveCalibration, ShadowRecord
from glasstape_qt import i18n
from glasstape_qt.alone import stage
from glasstape_qt.state.alerts import Call, Line
from glasstape_qt.state.desk import Changes
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.state.rows import Row
from glasstape_qt.views import layout as places
from glasstape_qt.views.shortcuts import KEYS
from glasstape_qt.views.window import MainWindow
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QTableView, QTextBrowser, QWidget

NAMES = (
    "watchTable", "feedList", "detail", "candleChart", "heatmapView", "driversText", "methodChoice",
    "connectionState", "trustPanel",
)  # fmt: skip


def test_scripts_find_every_part_by_its_name(window, made):
    window.open_detail(made.newest().symbol)
    for name in NAMES:
        assert window.findChild(QWidget, name) is not None, name


def test_a_double_click_on_a_row_opens_its_detail(window, qtbot):
    table, model = window.watch.table, window.watch.model
    point = table.visualRect(model.index(model.number("IBM"), 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=point)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=point)
    view = window.details.current()
    assert (view.symbol, view.isVisible()) == ("IBM", True)
    assert "IBM" in window.details.dock.windowTitle()


def test_details_open_in_the_dock_in_tabs_and_in_windows(window):
    window.open_detail("AAPL")
    window.open_detail("IBM")
    assert [view.symbol for view in window.details.views()] == ["IBM"]
    window.open_detail("AAPL", "tab")
    window.open_detail("MSFT", "window")
    window.open_detail("MSFT", "window")
    assert sorted(view.symbol for view in window.details.views()) == ["AAPL", "IBM", "MSFT"]
    assert window.details.opened() == ["IBM dock", "AAPL tab", "MSFT window"]
    window.details.others[0].close()
    assert window.open_detail("NOBODY") is None


def test_a_buy_of_the_list_reopens_its_signal(window, made):
    number = next(
        n for n in range(window.feed.model.rowCount())
        if window.feed.model.buy(n).event.confidence_sequence in made.session.explanations
    )  # fmt: skip
    buy = window.feed.model.buy(number)
    window.feed.list.chosen.emit(window.feed.model.index(number, 0))
    view = window.details.current()
    assert view.symbol == buy.event.symbol
    assert view.detail.explained.sequence == buy.event.confidence_sequence
    assert made.desk.buys.get(buy.event.sequence).acknowledged


def test_buys_are_paused_pinned_snoozed_and_seen(window, made):
    window.feed.pause.click()
    assert "Paused" in window.feed.pause.text()
    window.feed.pause.click()
    buy = window.feed.model.buy(3)
    for action in window.feed.menu(3).actions():
        action.trigger()
    kept = made.desk.buys.get(buy.event.sequence)
    assert kept.pinned
    assert kept.acknowledged
    assert made.desk.buys.snoozed[buy.event.symbol] == pytest.approx(100 + 1800)
    assert f"({made.desk.buys.unseen} new)" in window.feed.seen.text()
    window.feed.seen.click()
    assert made.desk.buys.unseen == 0
    assert window.feed.seen.text() == "All seen"


def test_the_trust_panel_counts_outcomes_against_the_base_rate(window, made):
    window._deeds()["trust"]()
    text = window.trust._text.toPlainText()
    assert "UP and DOWN" in text
    assert "random" in text
    assert "Of 100 signals expect about 39 to be right" in window.trust._card.toPlainText()
    assert "skill" in window.trust._card.toPlainText()
    everything = window.trust._diagram.accessibleName()
    window.trust._symbol.setCurrentIndex(window.trust._symbol.findData("IBM"))
    assert window.trust._diagram.accessibleName() != everything


def test_a_replay_wears_its_badge_and_the_clock_is_the_exchanges(window):
    window.status.refresh()
    assert window.status.replay.isVisible()
    assert window.status.replay.text().startswith("REPLAY")
    assert window.status.clock.text().split()[2] in ("EDT", "EST")
    assert window.status.connection.text().startswith("●")


def test_a_model_that_is_out_of_calibration_is_said_to_be_so(window, made):
    assert not window.status.calibration.isVisible()
    made.desk.connection.calibration = CalibrationState.BROKEN
    window.status.refresh()
    assert window.status.calibration.isVisible()
    assert window.status.calibration.text() == "OUT OF CALIBRATION"


def test_the_card_says_what_came_of_live_signals(window, made):
    model = made.desk.model
    gap = Estimate(value=-0.05, low=-0.08, high=-0.03)
    live = LiveCalibration(
        state=CalibrationState.BROKEN, sessions=60, outcomes=12_000, winner_gap=gap, up_gap=gap, band=0.02,
        novel_share=Estimate(value=0.2, low=0.15, high=0.25), drifted=True,
    )  # fmt: skip
    made.desk.describe(
        [replace(model, live=live, shadow=ShadowRecord(compared=200, disagreed=50, against=model.ref))], []
    )
    window._deeds()["trust"]()
    window.trust._refresh()
    card = window.trust._card.toPlainText()
    assert "OUT OF CALIBRATION: 60 sessions, 12,000 outcomes; winner -5.0 points (-8.0 … -3.0)" in card
    assert "Inputs are no longer those" in card
    assert "disagreed with the active model in 25.0% of 200 windows" in card


def test_language_palette_theme_and_size_change_while_it_runs(window, made, qtbot):
    window.open_detail("IBM")
    english = {label.text() for label in window.findChildren(QLabel) if label.text()}
    made.preferences.language, made.preferences.theme, made.preferences.zoom = "ko", "dark", 1.4
    window.apply()
    qtbot.wait(10)
    korean = {label.text() for label in window.findChildren(QLabel) if label.text()}
    same = {text for text in english & korean if any(sign.isalpha() for sign in text)}
    assert same <= {"sample-conv1d@1"}, same
    assert window.watch.search.placeholderText().startswith("찾기")
    assert window.menuBar().actions()[0].text() == "파일(&F)"
    assert window.font().pointSizeF() == pytest.approx(14)
    assert window.palette().window().color().name() == "#16181d"
    assert "가장 크게 작용한 것" in window.details.current().words.toPlainText()


def test_every_control_has_a_name_for_a_screen_reader(window, made):
    window.open_detail("IBM")
    dialogs = [window.show_settings(), window.show_profiles(), window.show_keys()]
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


def test_no_two_keys_are_the_same_and_each_is_on_the_sheet(window):
    assert len(set(KEYS.values())) == len(KEYS)
    sheet = window.show_keys()
    text = sheet.findChild(QTextBrowser).toPlainText()
    for name, key in KEYS.items():
        assert f"{key}" in text
        assert i18n.say(f"keys.{name}") in text
    sheet.close()


def test_an_alert_is_a_line_and_a_sound(window, monkeypatch):
    beeps = []
    monkeypatch.setattr("glasstape_qt.views.ringing.QApplication.beep", lambda: beeps.append(1))
    window._ringing._sound = None
    rows = tuple(Row(confidence(f"S{n}", UP), Instrument(symbol=f"S{n}")) for n in range(50))
    window.take(Changes(lines=[Line(rows, backlog=False)], call=Call(rows, sound=True, notify=True)))
    assert beeps == [1]
    assert "50 symbols" in window.alerts.text()
    window.take(Changes(lines=[Line(rows[:2], backlog=True)]))
    assert window.alerts.text().startswith("▲ Entered UP while disconnected: S0: up 55.0%")
    assert beeps == [1]


def test_windows_columns_and_details_come_back(made, qtbot):
    first = MainWindow(made.desk, made.link, made.appearance, made.preferences)
    qtbot.addWidget(first)
    first.resize(1000, 640)
    first.show()
    first.open_detail("IBM")
    first.open_detail("AAPL", "tab")
    first.watch.table.setColumnWidth(0, 133)
    first.close()
    text = made.preferences.model_dump_json()
    again = MainWindow(made.desk, made.link, made.appearance, Preferences.model_validate_json(text))
    qtbot.addWidget(again)
    again.show()
    assert again.height() == first.height() == 640  # the offscreen screen is narrower than the window
    assert again.watch.table.columnWidth(0) == 133
    assert again.details.opened() == ["IBM dock", "AAPL tab"]
    again.close()


def test_a_window_on_a_screen_that_is_gone_comes_back(window):
    window.move(QPoint(90_000, 90_000))
    places.bring_back(window)
    assert QGuiApplication.primaryScreen().availableGeometry().intersects(window.frameGeometry())


def test_a_layout_that_cannot_be_read_is_left_alone(made, qtbot):
    made.preferences.layouts = {"window:1": "%%%", "docks:1": "AAAA", "watch:1": "", "feed:99": "AAAA"}
    window = MainWindow(made.desk, made.link, made.appearance, made.preferences)
    qtbot.addWidget(window)
    window.show()
    assert window.watch.table.isVisible()
    window.close()


def test_another_profile_forgets_what_was_known(window, made, monkeypatch):
    opened = []
    monkeypatch.setattr(made.link, "open", opened.append)
    made.preferences.profiles.append(Profile(name="other", address="other:50551"))
    window.open_detail("IBM")
    window.connect_to("other")
    assert [profile.name for profile in opened] == ["other"]
    assert made.desk.rows == {}
    assert window.details.views() == []


@pytest.mark.parametrize("size", [(1280, 800), (2560, 1440), (900, 600)])
def test_nothing_is_wider_than_its_window(qapp, qtbot, size):
    i18n.use("ko")
    made = stage(Preferences(language="ko", zoom=1.0, profiles=[Profile(name="demo", session="demo")]))
    window = MainWindow(made.desk, made.link, made.appearance, made.preferences)
    qtbot.addWidget(window)
    window.resize(*size)
    window.show()
    window.open_detail("IBM")
    qtbot.wait(10)
    assert (window.width(), window.height()) == size
    window.close()


def test_every_widget_runs_alone():
    code = (
        "import os, runpy; os.environ['QT_QPA_PLATFORM'] = 'offscreen';"
        "from PyQt6.QtCore import QTimer; from PyQt6.QtWidgets import QApplication; app = QApplication([])\n"
        "for name in ('heatmap', 'watch_panel', 'feed_list', 'detail', 'trust', 'window'):\n"
        "    QTimer.singleShot(200, app.quit)\n"
        "    runpy.run_module(f'glasstape_qt.views.{name}', run_name='__main__')\n"
        "    print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 6
