"""Any valid symbol passes through every part: publish, predict, signals, lists, export and the desktop's table."""

import csv
import io
import time
from contextlib import redirect_stdout
from html import unescape

import pytest
from glasstape.cli import main
from glasstape.symbols import SYMBOL_PATTERN
from glasstape_qt.models.watch_model import COLUMNS, WatchModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up import daily
from PyQt6.QtCore import Qt
from stores import apply, batch, make_store

HISTORY = 80
PATIENCE_S = 20
known = set()
symbols = st.from_regex(SYMBOL_PATTERN, fullmatch=True)
NAMES = [
    "BTC/USDT:USDT",
    "^GSPC",
    "EURUSD=X",
    "AT&T",
    "<b",
    "$X_$",
    "[red]",
    "A:smile:",
    "=1+1",
    "-x",
    "../up",
    "%41",
]


@pytest.fixture
def server(market, qapp):
    """Client and address of a server; the desktop's models need the application."""
    return market.client, market.address


def signals_of(client, names):
    """The newest confidence of each symbol."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        events = list(client.history(symbols=names, kinds=["confidence"]))
        if {event.symbol for event in events} == set(names):
            return events
        time.sleep(0.02)
    raise AssertionError(f"without a signal: {set(names) - {event.symbol for event in events}}")


def output(*arguments):
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(arguments) == 0
    return out.getvalue()


def check_client(client, names):
    for number, name in enumerate(names):
        bars = daily(name, HISTORY + 1, number)
        assert client.publish_bars(bars[:-1], mode="backfill").stored == HISTORY
        assert client.publish_bars(bars[-1:]).stored == 1
        assert client.bars(name, "1d") == bars
    assert [prediction.symbol for prediction in client.predict(symbols=names)] == names
    assert all(prediction.error is None for prediction in client.predict(symbols=names))
    listed = [item.symbol for item in client.instruments()]
    assert listed == sorted(listed)
    assert set(names) <= set(listed)
    with client.signals(symbols=names) as stream:
        assert {next(iter(stream)).symbol} <= set(names)


def check_commands(address, names):
    rows = csv.DictReader(io.StringIO(output("export", "--server", address, "--", *names)))
    assert {row["symbol"] for row in rows} == set(names)
    text = output("predict", "--server", address, "--", *names)
    assert all(f"{name:<10} " in text for name in names if len(name) < 20)
    output("track", "--server", address, "--by", "symbol", "--", *names)


def check_desktop(events):
    model = WatchModel(make_store())
    model.update_rows(apply(model.store, batch(*events)).rows)
    assert set(model.symbols) == {event.symbol for event in events}
    for symbol in model.symbols:
        index = model.index(model.number(symbol), COLUMNS.index("code"))
        assert model.data(index, Qt.ItemDataRole.DisplayRole) == symbol
        tip = model.data(index, Qt.ItemDataRole.ToolTipRole)
        assert symbol in unescape(tip.removeprefix("<qt>"))
        assert "<" not in tip.removeprefix("<qt>").removesuffix("</qt>").replace("<br>", "")


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.lists(symbols, min_size=1, max_size=6, unique=True))
def test_random_symbols(server, names):
    names = [name for name in names if name not in known]
    known.update(names)
    if names:
        check_all(*server, names)


def test_symbols_that_other_programs_interpret(server, tmp_path):
    client, address = server
    check_all(client, address, NAMES)
    picture = tmp_path / "maps.svg"
    text = output("explain", "--server", address, "--save", str(picture), "--", *NAMES)
    assert picture.stat().st_size > 0
    assert all(name in text for name in NAMES)


def check_all(client, address, names):
    check_client(client, names)
    events = signals_of(client, names)
    check_commands(address, names)
    check_desktop(events)
