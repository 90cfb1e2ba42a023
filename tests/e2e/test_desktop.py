"""The desktop on the real server: bars close, a detail opens, the server is killed and restarted."""

import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from glasstape import Client
from glasstape_qt.app import assemble
from glasstape_qt.models.watch_columns import COLUMNS
from glasstape_qt.state.preferences import Preferences, Profile
from markets import HISTORY, SYMBOLS, open_market
from PyQt6.QtCore import Qt

PATIENCE = 20_000


@pytest.fixture
def open_desktop(qtbot, monkeypatch, tmp_path):
    """Opens desktops on an address and closes them after the test."""
    monkeypatch.setenv("GLASSTAPE_CONFIG", str(tmp_path / "config"))
    opened = []

    def start(address):
        profile = Profile(name="real", address=address)
        desktop = assemble(
            Preferences(language="en", theme="light", motion=False, profiles=[profile], profile="real")
        )
        qtbot.addWidget(desktop.window)
        desktop.window.resize(1280, 800)
        desktop.window.show()
        desktop.link.open(profile)
        opened.append(desktop)
        return desktop

    yield start
    for desktop in opened:
        desktop.window.close()


def row_colors(desktop):
    return {symbol: desktop.window.watch.table.row_color(symbol).name() for symbol in desktop.store.rows}


def double_click(desktop, symbol, qtbot):
    table, model = desktop.window.watch.table, desktop.window.watch.model
    viewport, point = table.viewport(), table.visualRect(model.index(model.number(symbol), 0)).center()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    return desktop.window.details.current()


def market_start(bars):
    """Start of a market whose last of so many daily bars closed an hour ago."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=bars - 1, hours=1)


def watch_a_bar_form(window, view, market, client, qtbot):
    """A forming bar of 005930 changes table and chart at once, and is gone when its final bar arrives."""
    table, last = window.watch.model, view.detail.recent_bars[-1]
    final = market.bars["005930"][market.published]
    close = 1.2 * last.close
    forming = replace(final, open=last.close, high=close, low=last.close, close=close, provisional=True)
    assert client.publish_bars([forming], mode="provisional").provisional == 1
    qtbot.waitUntil(lambda: view.detail.forming == forming, timeout=PATIENCE)
    assert view.chart.count == len(view.detail.bars) + 1
    assert view.chart.last_price.label.text.startswith(f"{close:,.2f}"[:4])
    change = table.data(table.index(table.number("005930"), COLUMNS.index("change")))
    assert change.startswith("▲ 20.00%")
    market.close_bar()
    qtbot.waitUntil(lambda: view.detail.recent_bars[-1] == final, timeout=PATIENCE)
    assert view.detail.forming is None


def test_the_desktop_shows_signals_and_resumes_after_the_server_was_killed(
    open_desktop, spawn, qtbot, tmp_path
):
    server = spawn(tmp_path / "data")
    with Client(server.address) as client:
        market = open_market(server, client, first=market_start(HISTORY + 15))
        desktop = open_desktop(server.address)
        window = desktop.window
        market.close_bar()
        qtbot.waitUntil(
            lambda: len(desktop.store.rows) == len(SYMBOLS) and desktop.store.model is not None,
            timeout=PATIENCE,
        )

        colors = {name: {color} for name, color in row_colors(desktop).items()}
        for _ in range(12):
            market.close_bar()
            newest = market.bars[SYMBOLS[0]][market.published - 1].close_time
            qtbot.waitUntil(
                lambda n=newest: desktop.store.rows[SYMBOLS[0]].event.bar_close_time == n, timeout=PATIENCE
            )
            for name, color in row_colors(desktop).items():
                colors[name].add(color)
        assert max(len(seen) for seen in colors.values()) >= 2, "no row has changed its color"

        view = double_click(desktop, "005930", qtbot)
        qtbot.waitUntil(
            lambda: view.heatmap_view.content is not None and len(view.detail.bars) > 80, timeout=PATIENCE
        )
        sequence = view.detail.explained_signal.sequence
        methods = ("scaled_path_gradient", "integrated_gradients")
        truth, adding_up = (client.explain(signals=[sequence], method=method)[0] for method in methods)
        for pane, known in zip(view.maps.panes, (truth, adding_up), strict=True):
            # the last bits depend on which windows share a pass of the network
            np.testing.assert_allclose(
                pane.view.content.explanation.heatmap.values, known.heatmap.values, atol=1e-6
            )
        assert view.detail.bars == client.bars("005930", "1d")[-len(view.detail.bars) :]
        assert [bar.close_time for bar in view.heatmap_view.content.bars] == list(truth.bar_close_times)
        qtbot.waitUntil(lambda: "Reliability of this map" in view.text_view.toPlainText(), timeout=PATIENCE)
        watch_a_bar_form(window, view, market, client, qtbot)
        buys = [event.sequence for event in client.history(kinds=["buy"])]
        assert buys
        qtbot.waitUntil(lambda: [buy.event.sequence for buy in desktop.store.buys] == buys, timeout=PATIENCE)
        qtbot.waitUntil(lambda: not window.status.stale.isVisible(), timeout=PATIENCE)

        server.kill()
        killed = time.monotonic()
        qtbot.waitUntil(lambda: window.status.stale.isVisible(), timeout=PATIENCE)
        assert time.monotonic() - killed < 3.0
        qtbot.waitUntil(lambda: "Retrying in" in window.status.connection.text(), timeout=PATIENCE)
        assert len(desktop.store.rows) == len(SYMBOLS)

        server.start()
        qtbot.waitUntil(lambda: not window.status.stale.isVisible(), timeout=PATIENCE)
        assert desktop.store.connection.resumes == 1
        assert desktop.store.model is not None, "the colors of the rows are gone"
        market.close_bar()
        newest = market.bars["005930"][market.published - 1].close_time
        qtbot.waitUntil(lambda: view.detail.explained_signal.bar_close_time == newest, timeout=PATIENCE)
        buys = [event.sequence for event in client.history(kinds=["buy"])]
        qtbot.waitUntil(lambda: len(desktop.store.buys) >= len(buys), timeout=PATIENCE)
        assert [buy.event.sequence for buy in desktop.store.buys] == buys
        assert desktop.store.connection.lost_events == 0
        assert desktop.store.connection.latency() is not None


def test_a_frozen_server_makes_the_rows_stale_and_nothing_is_lost(open_desktop, spawn, qtbot, tmp_path):
    server = spawn(tmp_path / "data")
    with Client(server.address) as client:
        market = open_market(server, client, first=market_start(HISTORY + 4))
        desktop = open_desktop(server.address)
        status = desktop.window.status
        for _ in range(3):
            market.close_bar()
        qtbot.waitUntil(lambda: len(desktop.store.rows) == len(SYMBOLS), timeout=PATIENCE)
        qtbot.waitUntil(lambda: desktop.store.connection.heartbeats >= 2, timeout=PATIENCE)
        assert not status.stale.isVisible()

        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            frozen = time.monotonic()
            qtbot.waitUntil(lambda: status.stale.isVisible(), timeout=PATIENCE)
            assert time.monotonic() - frozen < 3.0
            qtbot.waitUntil(lambda: "Retrying in" in status.connection.text(), timeout=PATIENCE)
            assert time.monotonic() - frozen < 10.0
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        qtbot.waitUntil(lambda: not status.stale.isVisible(), timeout=PATIENCE)
        market.close_bar()
        newest = market.bars[SYMBOLS[0]][market.published - 1].close_time
        qtbot.waitUntil(
            lambda: desktop.store.rows[SYMBOLS[0]].event.bar_close_time == newest, timeout=PATIENCE
        )
        buys = [event.sequence for event in client.history(kinds=["buy"])]
        qtbot.waitUntil(lambda: len(desktop.store.buys) >= len(buys), timeout=PATIENCE)
        assert [buy.event.sequence for buy in desktop.store.buys] == buys
        assert desktop.store.connection.lost_events == desktop.store.connection.resets == 0
