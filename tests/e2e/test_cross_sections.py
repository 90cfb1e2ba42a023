"""Ranks within a close: the same in training, feed, Predict and Explain, whatever comes late."""

import time
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from glasstape import Client, InvalidRequestError, WindowFilter
from glasstape.cli import main
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.artifact import load
from glasstape_server.training import dataset
from made_up import columns, daily
from running import ServerProcess

SYMBOLS = tuple(f"S{number}" for number in range(8))
HISTORY, CLOSES = 90, 12
FIRST = daily("S0", 1)[0].close_time
BARS = {symbol: daily(symbol, HISTORY + CLOSES, number) for number, symbol in enumerate(SYMBOLS)}
NAMES = ("open", "high", "low", "close", "volume")


def table(bars):
    rows = [(bar.symbol, bar.close_time, *(getattr(bar, name) for name in NAMES)) for bar in bars]
    return pl.DataFrame(rows, schema=("symbol", "close_time", *NAMES), orient="row")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with one model of set 2 and seven bars in a window."""
    folder = tmp_path_factory.mktemp("models")
    parts = []
    for number, symbol in enumerate(SYMBOLS):
        days = pl.date_range(pl.date(2000, 1, 1), pl.date(2009, 1, 1), "1d", eager=True)[:400]
        values = dict(zip(NAMES, columns(400, 50 + number), strict=True))
        parts.append(pl.DataFrame({"symbol": [symbol] * 400, "date": days, **values}))
    pl.concat(parts).write_csv(folder / "prices.csv")
    options = (
        "--time-zone",
        "UTC",
        "--close",
        "21:00",
        "--epochs",
        "1",
        "--arch",
        "linear",
        "--name",
        "ranks",
    )
    features = ("--features", "set2", "--window", "7")
    assert (
        main(["train", "--data", str(folder / "prices.csv"), "--out", str(folder), *options, *features]) == 0
    )
    return folder


@pytest.fixture
def server(models, tmp_path):
    with ServerProcess(tmp_path, "--models-dir", str(models), "--close-grace", "0.5") as running:
        yield running


def trained_windows(models, bars):
    """Windows of a training data set of these bars, by symbol and close time."""
    spec = load(models / "ranks" / "1").spec
    frame = table(bars).with_columns(pl.col("close_time").dt.epoch("us"))
    data = dataset.build(frame.sort("symbol", "close_time"), "1d", spec, LabelRule(), "UTC")
    keys = zip((data.symbols[number] for number in data.symbol), data.close_time.tolist(), strict=True)
    return dict(zip(keys, data.windows(), strict=True))


def confidences(client, count):
    until = time.monotonic() + 20
    while len(events := list(client.history(kinds=["confidence"]))) < count:
        assert time.monotonic() < until, f"{len(events)} of {count} signals"
        time.sleep(0.05)
    return {(event.symbol, event.bar_close_time): event for event in events}


def published_window(client, event):
    (explanation,) = client.explain(signals=[event.sequence])
    return explanation.window


def microseconds(time_):
    return int(time_.timestamp()) * 1_000_000


def test_windows_are_the_same_bits_in_training_feed_predict_and_explain(server, models):
    with Client(server.address) as client:
        for symbol in SYMBOLS:
            client.publish_bars(BARS[symbol][:HISTORY], mode="backfill")
        for number in range(HISTORY, HISTORY + CLOSES):
            client.publish_bars([BARS[symbol][number] for symbol in SYMBOLS])
        events = confidences(client, len(SYMBOLS) * CLOSES)
        assert {event.signal.missing_symbols for event in events.values()} == {0}
        trained = trained_windows(models, [bar for bars in BARS.values() for bar in bars])
        compared = 0
        for (symbol, close), event in events.items():
            window = trained.get((symbol, microseconds(close)))
            if window is not None:  # the last two closes have no outcome yet
                np.testing.assert_array_equal(published_window(client, event), window)
                compared += 1
        assert compared == len(SYMBOLS) * (CLOSES - 2)
        last = {symbol: events[symbol, BARS[symbol][-1].close_time] for symbol in SYMBOLS}
        explained = client.explain(symbols=SYMBOLS)
        predicted = client.predict(symbols=SYMBOLS)
        for symbol, explanation, prediction in zip(SYMBOLS, explained, predicted, strict=True):
            np.testing.assert_array_equal(explanation.window, published_window(client, last[symbol]))
            assert prediction.missing_symbols == 0
            assert prediction.unwrap().up == pytest.approx(last[symbol].signal.probabilities.up, abs=1e-6)
        with pytest.raises(
            InvalidRequestError, match=r"input\.bars: must be symbols, signals or windows .* return_rank"
        ):
            client.predict(bars=[BARS["S0"]])
        importance = client.importance(WindowFilter(start=BARS["S0"][-CLOSES].close_time), method="occlusion")
        assert importance.windows.windows == len(SYMBOLS) * CLOSES
        signals = [event.sequence for event in events.values()]
        maps = [each.heatmap.values for each in client.explain(signals=signals, method="occlusion")]
        cells = [part.importance.value for part in importance.cells]
        np.testing.assert_allclose(cells, np.abs(maps).mean(0).ravel(), rtol=1e-4, atol=1e-6)
        (flip,) = client.explain(signals=[last["S0"].sequence], method="counterfactual")
        assert flip.counterfactual.hypothetical


def test_closes_that_arrive_in_parts_wait_for_their_symbols(models, tmp_path):
    grace = ("--close-grace", "60")
    with (
        ServerProcess(tmp_path, "--models-dir", str(models), *grace) as server,
        Client(server.address) as client,
    ):
        for symbol in SYMBOLS:
            client.publish_bars(BARS[symbol][:HISTORY], mode="backfill")
        rest = [BARS[symbol][number] for number in range(HISTORY, HISTORY + CLOSES) for symbol in SYMBOLS]
        for first in range(0, len(rest), 11):
            client.publish_bars(rest[first : first + 11])
        events = confidences(client, len(rest))
        assert {event.signal.missing_symbols for event in events.values()} == {0}
        trained = trained_windows(models, [bar for bars in BARS.values() for bar in bars])
        for symbol in SYMBOLS:
            close = BARS[symbol][HISTORY + 7].close_time
            window = published_window(client, events[symbol, close])
            np.testing.assert_array_equal(window, trained[symbol, microseconds(close)])


def test_a_late_symbol_changes_no_window_of_the_others_and_the_close_says_so(server, models, tmp_path):
    late = "S3"
    with Client(server.address) as client:
        for symbol in SYMBOLS:
            client.publish_bars(BARS[symbol][:HISTORY], mode="backfill")
        client.publish_bars([BARS[symbol][HISTORY] for symbol in SYMBOLS])
        confidences(client, 8)
        client.publish_bars([BARS[symbol][HISTORY + 1] for symbol in SYMBOLS if symbol != late])
        events = confidences(client, 15)
        before = {key: published_window(client, event) for key, event in events.items()}
        latest = {item.symbol: item for item in client.predict(symbols=[s for s in SYMBOLS if s != late])}
        client.publish_bars([BARS[late][HISTORY + 1]])
        events = confidences(client, 16)
        at = BARS[late][HISTORY + 1].close_time
        assert {events[symbol, at].signal.missing_symbols for symbol in SYMBOLS} == {1}
        assert {events[symbol, at - timedelta(days=1)].signal.missing_symbols for symbol in SYMBOLS} == {0}
        for symbol, again in zip(SYMBOLS, client.explain(symbols=SYMBOLS), strict=True):
            if symbol != late:
                np.testing.assert_array_equal(again.window, before[symbol, at])
                assert again.prediction.missing_symbols == latest[symbol].missing_symbols == 1
        whole = [bar for bars in BARS.values() for bar in bars[: HISTORY + 4]]
        trained = trained_windows(models, whole)
        # Its own rank is that among the others and itself: what training has.
        own = published_window(client, events[late, at])
        np.testing.assert_array_equal(own, trained[late, microseconds(at)])
        without = trained_windows(models, [bar for bar in whole if bar.symbol != late or bar.close_time < at])
        for symbol in SYMBOLS:
            if symbol != late:
                np.testing.assert_array_equal(before[symbol, at], without[symbol, microseconds(at)])


def test_what_was_ranked_survives_a_restart_and_bars_that_are_filled_in(server, models):
    filled, new = "S5", "NEW"
    with Client(server.address) as client:
        for symbol in SYMBOLS:
            client.publish_bars(BARS[symbol][:HISTORY], mode="backfill")
        client.publish_bars([BARS[symbol][HISTORY] for symbol in SYMBOLS if symbol != filled])
        client.publish_bars([BARS[symbol][HISTORY + 1] for symbol in SYMBOLS])
        events = confidences(client, 15)
        at = BARS["S0"][HISTORY + 1].close_time
        before = {symbol: published_window(client, events[symbol, at]) for symbol in SYMBOLS}
        client.publish_bars([BARS[filled][HISTORY]], mode="backfill")
        client.publish_bars(daily(new, HISTORY + 2, 77), mode="backfill")
    assert server.stop() == 0
    server.start()
    with Client(server.address) as client:
        others = [symbol for symbol in SYMBOLS if symbol != filled]
        for symbol, explanation in zip(others, client.explain(symbols=others), strict=True):
            np.testing.assert_array_equal(explanation.window, before[symbol])
        (prediction,) = client.predict(symbols=[new])
        assert prediction.confidence is not None
        client.publish_bars([BARS[symbol][HISTORY + 2] for symbol in SYMBOLS])
        after = confidences(client, 23)
        newest = BARS[filled][HISTORY + 2].close_time
        assert after["S0", newest].signal.missing_symbols == 1
        assert after[filled, newest].signal.missing_symbols == 2, "it and the new one were late"
