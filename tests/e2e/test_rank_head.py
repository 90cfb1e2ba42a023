"""Rank scores and ranks: the same in training, feed and Predict, whatever comes late."""

import time

import numpy as np
import polars as pl
import pytest
import torch
from glasstape import Client
from glasstape.cli import main
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.artifact import load
from glasstape_server.training import dataset
from made_up import columns, daily
from running import ServerProcess

SYMBOLS = tuple(f"S{number}" for number in range(8))
HISTORY = 90
BARS = {symbol: daily(symbol, HISTORY + 6, number) for number, symbol in enumerate(SYMBOLS)}
NAMES = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module", params=["set1", "set2"])
def models(request, tmp_path_factory):
    """A folder with one model that has a rank head, without and with ranked features."""
    folder = tmp_path_factory.mktemp("models")
    days = pl.date_range(pl.date(2000, 1, 1), pl.date(2009, 1, 1), "1d", eager=True)[:400]
    parts = [
        pl.DataFrame(
            {
                "symbol": [symbol] * 400,
                "date": days,
                **dict(zip(NAMES, columns(400, 50 + number), strict=True)),
            }
        )
        for number, symbol in enumerate(SYMBOLS)
    ]
    pl.concat(parts).write_csv(folder / "prices.csv")
    options = (
        f"--time-zone UTC --close 21:00 --epochs 2 --arch linear --name ranked --features {request.param}"
    )
    data = ("--data", str(folder / "prices.csv"), "--out", str(folder))
    assert main(["train", *data, *options.split(), "--head", "classes+rank"]) == 0
    return folder


@pytest.fixture
def server(models, tmp_path):
    with ServerProcess(tmp_path, "--models-dir", str(models), "--close-grace", "0.5") as running:
        yield running


def backfill(client):
    for symbol in SYMBOLS:
        client.publish_bars(BARS[symbol][:HISTORY], mode="backfill")


def signals(client, count):
    until = time.monotonic() + 20
    while len(events := list(client.history(kinds=["confidence"]))) < count:
        assert time.monotonic() < until, f"{len(events)} of {count} signals"
        time.sleep(0.05)
    return {(event.symbol, event.bar_close_time): event for event in events}


def place(scores, symbol):
    return 1 + sum(other > scores[symbol] for other in scores.values())


def trained_scores(models, bars):
    """Scores of a training data set of these bars by the artifact, by symbol and close time in microseconds."""
    model = load(models / "ranked" / "1")
    rows = [(bar.symbol, bar.close_time, *(getattr(bar, name) for name in NAMES)) for bar in bars]
    frame = pl.DataFrame(rows, schema=("symbol", "close_time", *NAMES), orient="row")
    frame = frame.with_columns(pl.col("close_time").dt.epoch("us")).sort("symbol", "close_time")
    data = dataset.build(frame, "1d", model.spec, LabelRule(), "UTC")
    scores = model.rank_scorer(torch.from_numpy(data.windows()))[:, 0].tolist()
    keys = zip((data.symbols[number] for number in data.symbol), data.close_time.tolist(), strict=True)
    return dict(zip(keys, scores, strict=True))


def test_signals_carry_the_rank_that_training_computes(server, models):
    with Client(server.address) as client:
        backfill(client)
        for number in range(HISTORY, HISTORY + 4):
            client.publish_bars([BARS[symbol][number] for symbol in SYMBOLS])
        events = signals(client, 32)
        trained = trained_scores(models, [bar for bars in BARS.values() for bar in bars])
        for number in range(HISTORY, HISTORY + 4):
            close = BARS["S0"][number].close_time
            own = {symbol: events[symbol, close].signal for symbol in SYMBOLS}
            scores = {symbol: signal.rank_score for symbol, signal in own.items()}
            assert len(set(scores.values())) > 1
            expected = [trained[symbol, int(close.timestamp()) * 1_000_000] for symbol in SYMBOLS]
            np.testing.assert_allclose(list(scores.values()), expected, atol=1e-6)
            for symbol, signal in own.items():
                assert (signal.close_rank, signal.close_size) == (place(scores, symbol), 8)
                assert signal.missing_symbols == 0
        predicted = client.predict(symbols=SYMBOLS)
        assert [each.rank_score for each in predicted] == pytest.approx(list(scores.values()), abs=1e-6)
        windows = np.stack([each.window for each in client.explain(symbols=SYMBOLS)])
        ready = client.predict(windows=windows)
        assert [each.rank_score for each in ready] == pytest.approx(list(scores.values()), abs=1e-6)
        metrics = client.model().metrics
        assert {"check/rank_ic", "check/rank_ic_low", "check/rank_ic_low_volatility"} <= set(metrics)


def test_a_late_symbol_changes_no_rank_of_the_others(server):
    late, number = "S3", HISTORY + 1
    close = BARS[late][number].close_time
    with Client(server.address) as client:
        backfill(client)
        client.publish_bars([BARS[symbol][HISTORY] for symbol in SYMBOLS])
        signals(client, 8)
        client.publish_bars([BARS[symbol][number] for symbol in SYMBOLS if symbol != late])
        before = signals(client, 15)
        client.publish_bars([BARS[late][number]])
        events = signals(client, 16)
        others = [symbol for symbol in SYMBOLS if symbol != late]
        scores = {symbol: events[symbol, close].signal.rank_score for symbol in others}
        for symbol in others:
            signal = events[symbol, close].signal
            assert signal == before[symbol, close].signal
            assert (signal.close_rank, signal.close_size) == (place(scores, symbol), 7)
            assert signal.missing_symbols == 1
        own = events[late, close].signal
        assert own.rank_score is not None
        assert (own.close_rank, own.close_size, own.missing_symbols) == (None, None, 1)


def test_symbols_that_are_not_ranked_with_the_others_count_as_missing(server):
    with Client(server.address) as client:
        for symbol in SYMBOLS[1:]:
            client.publish_bars(BARS[symbol][: HISTORY + 1], mode="backfill")
        client.publish_bars(BARS["S0"][:HISTORY], mode="backfill")
        client.publish_bars([BARS["S0"][HISTORY]])
        (event,) = signals(client, 1).values()
        assert (event.signal.close_rank, event.signal.close_size) == (1, 1)
        assert event.signal.missing_symbols == 7


def test_ranks_are_journaled(server):
    with Client(server.address) as client:
        backfill(client)
        client.publish_bars([BARS[symbol][HISTORY] for symbol in SYMBOLS])
        before = signals(client, 8)
    assert server.stop() == 0
    server.start()
    with Client(server.address) as client:
        after = signals(client, 8)
        assert {key: event.signal for key, event in after.items()} == {
            key: event.signal for key, event in before.items()
        }
        event = next(iter(after.values()))
        (prediction,) = client.predict(signals=[event.sequence])
        assert prediction.rank_score == event.signal.rank_score
        (explanation,) = client.explain(signals=[event.sequence])
        assert explanation.prediction.rank_score == event.signal.rank_score
