"""Rank scores and ranks in the terminal."""

import io
import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from glasstape import Client, EventBatch
from glasstape.cli import main
from glasstape.cli.board import Board
from glasstape.cli.render import rank_text
from glasstape.testing import MODEL, FakeServer, make_confidence, make_confidence_event
from rich.console import Console

SCORES = {"AAA": 0.02, "BBB": 0.31, "CCC": -0.4, "DDD": None}


def ranked(symbol, score, days=0, place=None):
    event = make_confidence_event(
        symbol, make_confidence(up=0.5 if symbol < "C" else 0.6, down=0.2, flat=0.2)
    )
    signal = replace(event.signal, rank_score=score, close_rank=place, close_size=place and 3)
    return replace(event, signal=signal, bar_close_time=event.bar_close_time + timedelta(days=days))


def rows(events, sort):
    board = Board(None, MODEL, sort)
    board.update(EventBatch(events=tuple(events), conflated_count=0, snapshot=False))
    file = io.StringIO()
    Console(file=file, width=160).print(board.render())
    lines = file.getvalue().splitlines()
    return [line.split()[1] for line in lines if line.startswith("│")], file.getvalue()


@pytest.mark.parametrize(
    ("sort", "order"), [("symbol", "AAA BBB CCC DDD"), ("rank", "BBB AAA CCC DDD"), ("up", "CCC DDD AAA BBB")]
)
def test_the_table_is_sorted(sort, order):
    events = [ranked(symbol, score) for symbol, score in SCORES.items()]
    assert rows(events, sort)[0] == order.split()


def test_the_newest_close_comes_first_because_scores_of_two_closes_are_not_comparable():
    events = [ranked("AAA", 0.9), ranked("BBB", 0.1, days=1), ranked("CCC", 0.2, days=1)]
    assert rows(events, "rank")[0] == ["CCC", "BBB", "AAA"]


def test_the_rank_is_shown_if_there_is_one_and_sorting_without_one_says_so():
    text = rows([ranked("AAA", 0.02, place=2), ranked("BBB", -0.3)], "rank")[1]
    assert "2 / 3" in text
    assert "-0.300" in text
    plain = rows([ranked("AAA", None)], "rank")[1]
    assert "no signal has a rank" in plain
    assert " rank " not in plain.splitlines()[2]
    assert rank_text(None) == ""


@pytest.fixture
def server(monkeypatch):
    with FakeServer() as fake:
        fake.rank = lambda symbol, window: SCORES.get(symbol)
        monkeypatch.setenv("GLASSTAPE_SERVER", fake.address)
        yield fake


def test_predict_prints_the_score_where_there_is_one(server, capsys):
    assert main(["predict", "BBB", "DDD"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "rank score +0.310" in first
    assert "rank score" not in second
    assert main(["predict", "BBB", "DDD", "--json"]) == 0
    values = [json.loads(line)["rank_score"] for line in capsys.readouterr().out.splitlines()]
    assert values == [0.31, None]


def test_watch_prints_ranks_as_text_and_json(server, capsys):
    server.emit(ranked("BBB", 0.31, place=1))
    assert main(["watch", "--for", "0.3s", "--view", "text", "--sort", "rank"]) == 0
    assert "rank 1 / 3" in capsys.readouterr().out
    assert main(["watch", "--for", "0.3s", "--json"]) == 0
    signal = json.loads(capsys.readouterr().out.splitlines()[0])["signal"]
    assert (signal["rank_score"], signal["close_rank"], signal["close_size"]) == (0.31, 1, 3)


def test_explanations_have_no_score(server):
    with Client(server.address) as client:
        (explanation,) = client.explain(windows=np.zeros((1, 6, 8), np.float32))
        (prediction,) = client.predict(symbols=["AAA"])
    assert explanation.prediction.rank_score is None
    assert prediction.rank_score == 0.02


RANK_METRICS = {
    f"check/rank_ic{suffix}{end}": value
    for suffix, value in (("", 0.068), ("_classes", 0.015), ("_low_volatility", 0.047))
    for end in ("", "_low", "_high")
}


def test_a_model_states_its_rank_ic_beside_that_of_its_classes(monkeypatch, capsys):
    with FakeServer(model=replace(MODEL, metrics=RANK_METRICS)) as fake:
        monkeypatch.setenv("GLASSTAPE_SERVER", fake.address)
        assert main(["models", "fake"]) == 0
        with Client(fake.address) as client:
            assert client.model().rank_ic["classes"].value == 0.015
    text = " ".join(capsys.readouterr().out.split())
    assert "Rank IC +0.068 (+0.068 … +0.068); without the rank head: classes +0.015" in text
    assert MODEL.rank_ic == {}
