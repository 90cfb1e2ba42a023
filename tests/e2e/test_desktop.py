"""The desktop on the real server: a bar closes, a row turns, a detail opens, the server dies and comes back."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from glasstape import Client
from glasstape_qt.app import assemble
from glasstape_qt.state.preferences import Preferences, Profile
from markets import HISTORY, SYMBOLS, open_market
from PyQt6.QtCore import Qt

PATIENCE = 20_000


@pytest.fixture
def desk(qtbot, monkeypatch, tmp_path):
    """Opens desktops on an address; whatever is left open is closed."""
    monkeypatch.setenv("GLASSTAPE_CONFIG", str(tmp_path / "config"))
    opened = []

    def start(address):
        profile = Profile(name="real", address=address)
        parts = assemble(
            Preferences(language="en", theme="light", motion=False, profiles=[profile], profile="real")
        )
        qtbot.addWidget(parts.window)
        parts.window.resize(1280, 800)
        parts.window.show()
        parts.link.open(profile)
        opened.append(parts)
        return parts

    yield start
    for parts in opened:
        parts.window.close()


def grounds(parts):
    delegate = parts.window.watch.table._delegate
    return {symbol: delegate.ground(row, 0).name() for symbol, row in parts.desk.rows.items()}


def double_click(parts, symbol, qtbot):
    table, model = parts.window.watch.table, parts.window.watch.model
    viewport, point = table.viewport(), table.visualRect(model.index(model.number(symbol), 0)).center()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    return parts.window.details.current()


def began(bars):
    """When a market began whose last of so many days closed an hour ago."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=bars - 1, hours=1)


def test_a_day_at_the_desk(desk, spawn, qtbot, tmp_path):
    server = spawn(tmp_path / "data")
    with Client(server.address) as client:
        market = open_market(server, client, first=began(HISTORY + 14))
        parts = desk(server.address)
        window = parts.window
        market.close_bar()
        qtbot.waitUntil(
            lambda: len(parts.desk.rows) == len(SYMBOLS) and parts.desk.model is not None, timeout=PATIENCE
        )

        seen = {name: {colour} for name, colour in grounds(parts).items()}
        for _ in range(12):
            market.close_bar()
            newest = market.bars[SYMBOLS[0]][market.published - 1].close_time
            qtbot.waitUntil(
                lambda n=newest: parts.desk.rows[SYMBOLS[0]].event.bar_close_time == n, timeout=PATIENCE
            )
            for name, colour in grounds(parts).items():
                seen[name].add(colour)
        assert max(len(colours) for colours in seen.values()) >= 2, "no row has changed its colour"

        view = double_click(parts, "005930", qtbot)
        qtbot.waitUntil(lambda: view.map.picture is not None and len(view.detail.bars) > 80, timeout=PATIENCE)
        sequence = view.detail.explained.sequence
        truth = client.explain(signals=[sequence], method="integrated_gradients")[0]
        # the last bits depend on which windows share a pass of the network
        np.testing.assert_allclose(
            view.map.picture.explanation.heatmap.values, truth.heatmap.values, atol=1e-6
        )
        assert view.detail.bars == client.bars("005930", "1d")[-len(view.detail.bars) :]
        assert [bar.close_time for bar in view.map.picture.bars] == list(truth.bar_close_times)
        qtbot.waitUntil(lambda: "How far to trust" in view.words.toPlainText(), timeout=PATIENCE)
        buys = [event.sequence for event in client.history(kinds=["buy"])]
        assert buys
        qtbot.waitUntil(lambda: [buy.event.sequence for buy in parts.desk.buys] == buys, timeout=PATIENCE)
        qtbot.waitUntil(lambda: not window.status.stale.isVisible(), timeout=PATIENCE)

        server.kill()
        dead = time.monotonic()
        qtbot.waitUntil(lambda: window.status.stale.isVisible(), timeout=PATIENCE)
        assert time.monotonic() - dead < 3.0
        qtbot.waitUntil(lambda: "Next try in" in window.status.connection.text(), timeout=PATIENCE)
        assert len(parts.desk.rows) == len(SYMBOLS)

        server.start()
        qtbot.waitUntil(lambda: not window.status.stale.isVisible(), timeout=PATIENCE)
        assert parts.desk.connection.resumed == 1
        assert parts.desk.model is not None, "the colours of the rows are gone"
        market.close_bar()
        newest = market.bars["005930"][market.published - 1].close_time
        qtbot.waitUntil(lambda: view.detail.explained.bar_close_time == newest, timeout=PATIENCE)
        buys = [event.sequence for event in client.history(kinds=["buy"])]
        qtbot.waitUntil(lambda: len(parts.desk.buys) >= len(buys), timeout=PATIENCE)
        assert [buy.event.sequence for buy in parts.desk.buys] == buys
        assert parts.desk.connection.gaps == 0
        assert parts.desk.connection.latency() is not None


def test_a_frozen_server_is_told_at_the_desk_and_nothing_is_lost_by_it(desk, spawn, qtbot, tmp_path):
    server = spawn(tmp_path / "data")
    with Client(server.address) as client:
        market = open_market(server, client, first=began(HISTORY + 4))
        parts = desk(server.address)
        status = parts.window.status
        for _ in range(3):
            market.close_bar()
        qtbot.waitUntil(lambda: len(parts.desk.rows) == len(SYMBOLS), timeout=PATIENCE)
        qtbot.waitUntil(lambda: parts.desk.connection.beats >= 2, timeout=PATIENCE)
        assert not status.stale.isVisible()

        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            frozen = time.monotonic()
            qtbot.waitUntil(lambda: status.stale.isVisible(), timeout=PATIENCE)
            assert time.monotonic() - frozen < 3.0
            qtbot.waitUntil(lambda: "Next try in" in status.connection.text(), timeout=PATIENCE)
            assert time.monotonic() - frozen < 10.0
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        qtbot.waitUntil(lambda: not status.stale.isVisible(), timeout=PATIENCE)
        market.close_bar()
        newest = market.bars[SYMBOLS[0]][market.published - 1].close_time
        qtbot.waitUntil(lambda: parts.desk.rows[SYMBOLS[0]].event.bar_close_time == newest, timeout=PATIENCE)
        buys = [event.sequence for event in client.history(kinds=["buy"])]
        qtbot.waitUntil(lambda: len(parts.desk.buys) >= len(buys), timeout=PATIENCE)
        assert [buy.event.sequence for buy in parts.desk.buys] == buys
        assert parts.desk.connection.gaps == parts.desk.connection.resets == 0
