"""Controls of the chart: time frames, studies, lines, notes and pictures."""

from datetime import timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
from glasstape_qt import i18n
from glasstape_qt.state.preferences import Preferences, load, save
from PyQt6.QtCore import QPointF
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QInputDialog, QMenu
from stores import START


def study(toolbar, name):
    actions = {action.data(): action for action in toolbar.studies_in(QMenu(toolbar))}
    return actions[name]


def pane_names(chart):
    return [pane.name for pane in chart.panes]


def test_the_features_of_the_model_come_first(toolbar):
    names = [action.data() for action in toolbar.studies_in(QMenu(toolbar))]
    assert names[:3] == ["feature:rsi", "feature:close_return", "ma5"]
    assert {
        "ma20",
        "ma60",
        "ma120",
        "ema20",
        "vwap",
        "bollinger",
        "volume",
        "volume_average",
        "rsi",
        "macd",
    } < set(names)


def test_studies_are_drawn_and_stored(toolbar, chart):
    study(toolbar, "bollinger").toggle()
    study(toolbar, "rsi").toggle()
    study(toolbar, "volume").toggle()
    assert pane_names(chart) == ["price", "rsi"]
    assert set(chart.studies.values["bollinger"]) == {"lower", "middle", "upper"}
    np.testing.assert_allclose(chart.studies.values["ma20"][""][19:], 90.5 + np.arange(19, 300))
    assert chart.preferences.studies == ["ma20", "ma60", "bollinger", "rsi"]
    assert "RSI 14 100" in chart.accessibleDescription()
    study(toolbar, "volume").toggle()
    study(toolbar, "rsi").toggle()
    assert pane_names(chart) == ["price", "volume"]


def test_a_feature_of_the_model_is_drawn_where_it_is_known(toolbar, chart, detail, qtbot):
    detail.features["close_return"] = {START + timedelta(days=n): n / 10 for n in range(280, 300)}
    with qtbot.waitSignal(toolbar.features_wanted, timeout=1000):
        study(toolbar, "feature:close_return").toggle()
    values = chart.studies.values["feature:close_return"][""]
    assert np.isnan(values[279])
    assert values[285] == 28.5
    assert pane_names(chart)[-1] == "feature:close_return"


def test_every_study_has_a_name_in_each_language(toolbar, appearance, preferences):
    names = {}
    for language in ("en", "ko"):
        preferences.language = language
        appearance.apply(preferences)
        names[language] = [action.text() for action in toolbar.studies_in(QMenu(toolbar))]
        assert all(names[language])
    assert names["en"] != names["ko"]
    assert i18n.language() == "ko"


def test_frames_bars_and_scales_are_selected_by_their_controls(toolbar, chart):
    toolbar.frame.setCurrentIndex(toolbar.frame.findData("1mo"))
    assert chart.count < 15
    toolbar.frame.setCurrentIndex(0)
    toolbar.bars.setCurrentIndex(toolbar.bars.findData(60))
    low, high = chart.visible_range
    assert 60 <= high - low <= 66
    toolbar.scale.setCurrentIndex(toolbar.scale.findData("log"))
    assert chart.preferences.scale == "log"
    assert all(
        widget.accessibleName() for widget in (toolbar.frame, toolbar.bars, toolbar.scale, toolbar.studies)
    )
    assert all(action.text() for action in (toolbar.line, toolbar.note, toolbar.picture))


def test_lines_and_notes_stay(toolbar, chart, tmp_path, monkeypatch):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("results {at} noon", True))
    chart.mark_position(290)
    toolbar.line.trigger()
    toolbar.note.trigger()
    line, note = chart.marks.marks
    assert (line.price, line.time) == (pytest.approx(390.0), None)
    assert (note.price, note.text, note.time) == (
        pytest.approx(390.0),
        "results {at} noon",
        chart.framed.bars[290].close_time,
    )
    preferences = Preferences(chart=chart.preferences)
    save(tmp_path / "desktop.json", preferences)
    assert load(tmp_path / "desktop.json")[0].chart.marks == {"A": [line, note]}


def test_a_line_near_the_mouse_is_removed_by_its_menu(toolbar, chart):
    price, view = chart.price_range, chart.panes.price.view
    middle = view.mapViewToScene(QPointF(250, (price[0] + price[1]) / 2))
    toolbar.add_line(middle)
    far = QPointF(middle.x(), middle.y() + 60)
    assert len(toolbar.context_menu(far).actions()) == 4
    remove = toolbar.context_menu(middle).actions()[2]
    remove.trigger()
    assert chart.preferences.marks == {}


def test_a_picture_names_signal_and_model(chart, tmp_path):
    chart.save_picture(tmp_path / "a.png", "A · signal 7 · model fake@1")
    image = QImage(str(tmp_path / "a.png"))
    assert image.width() == 2 * chart.viewport().width()
    assert image.text("Description") == "A · signal 7 · model fake@1"
    assert len({image.pixel(x, image.height() - 20) for x in range(0, 400)}) > 1
    chart.save_picture(tmp_path / "a.svg", "A · signal 7 · model fake@1")
    title = ElementTree.parse(tmp_path / "a.svg").find("{http://www.w3.org/2000/svg}title")
    assert title.text == "A · signal 7 · model fake@1"
    with pytest.raises(OSError, match="cannot be written"):
        chart.save_picture(tmp_path / "none" / "a.png", "A")
