"""Charts of made-up bars, without a server."""

from dataclasses import replace
from datetime import UTC

import pytest
from chart_bars import bars
from glasstape_qt.state.chart_preferences import ChartPreferences
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.views.chart.candle_chart import CandleChart
from glasstape_qt.views.chart.chart_toolbar import ChartToolbar
from PyQt6.QtWidgets import QWidget
from stores import DOWN, UP, confidence


@pytest.fixture
def detail():
    """300 bars, with an UP signal at 290 and a DOWN signal at 295."""
    detail = SymbolDetail("A", "1d", recent_bars=bars(300))
    for sequence, number, value in ((7, 290, UP), (8, 295, DOWN)):
        event = confidence("A", value, sequence, days=number)
        detail.add_signal(replace(event, signal=replace(event.signal, bar=detail.recent_bars[number])))
    return detail


@pytest.fixture
def chart(qtbot, appearance, detail):
    window = QWidget()  # pyqtgraph removes every item of a chart that is closed itself
    qtbot.addWidget(window)
    chart = CandleChart(appearance, ChartPreferences(), window)
    window.resize(700, 420)
    chart.resize(700, 420)
    window.show()
    chart.show_detail(detail, UTC, 6)
    yield chart
    window.close()


@pytest.fixture
def toolbar(qtbot, appearance, chart):
    toolbar = ChartToolbar(chart, appearance)
    qtbot.addWidget(toolbar)
    toolbar.set_source("1d", ["rsi", "close_return"])
    return toolbar
