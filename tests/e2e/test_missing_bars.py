"""A rejected bar within the window is reported with every signal, prediction and explanation over it."""

import csv
import time
from dataclasses import replace

import pytest
from glasstape import Client
from glasstape.cli import main
from made_up import daily
from running import ServerProcess

BARS = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with Client(server.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def signals(client):
    """The signals of the seven bars after a rejected one, oldest first, and those of a symbol without."""
    bars = daily("GAP", BARS + 8)
    whole = daily("WHOLE", BARS + 8, 1, first=bars[0].close_time.replace(hour=20))
    client.publish_bars([*bars[:BARS], *whole[:BARS]], mode="backfill")
    bars[BARS] = replace(bars[BARS], low=-40.32, close=-37.63)
    for number in range(BARS, BARS + 8):
        report = client.publish_bars([bars[number], whole[number]])
        assert report.rejected == (number == BARS)
    until = time.monotonic() + 20
    while len(events := list(client.history(kinds=["confidence"]))) < 15:
        assert time.monotonic() < until
        time.sleep(0.05)
    return {symbol: [event for event in events if event.symbol == symbol] for symbol in ("GAP", "WHOLE")}


def test_signals_over_a_rejected_bar_report_it_and_later_ones_do_not(signals):
    assert [event.signal.missing_bars for event in signals["GAP"]] == [1, 1, 1, 1, 1, 1, 0]
    assert [event.signal.missing_bars for event in signals["WHOLE"]] == [0] * 8


def test_predictions_and_explanations_report_it(client, signals):
    first, *_, last = signals["GAP"]
    past = client.predict(signals=[first.sequence, last.sequence])
    assert [prediction.missing_bars for prediction in past] == [1, 0]
    assert client.explain(signals=[first.sequence])[0].prediction.missing_bars == 1
    client.publish_bars(daily("NOW", BARS)[:-2] + daily("NOW", BARS)[-1:], mode="backfill")
    assert [item.missing_bars for item in client.predict(symbols=["NOW", "GAP"])] == [1, 0]


def test_commands_show_it(server, signals, capsys):
    sequence = str(signals["GAP"][0].sequence)
    for command in ("predict", "explain"):
        assert main([command, "--signal", sequence, "--server", server.address]) == 0
        assert "1 bar missing" in capsys.readouterr().out
    assert main(["export", "--kinds", "confidence", "--server", server.address]) == 0
    rows = csv.DictReader(capsys.readouterr().out.splitlines())
    assert sum(row["missing_bars"] == "1" for row in rows) == 6
