"""Scenarios of a client that predicts and publishes: rules 2, 3, 5 and 8 of docs/contract.md.

`{action}` is `predict SYMBOL…` or `publish FILE`. For each prediction the client prints a JSON object with `symbol`,
and `up` and `model`, or `problem`. FILE has a bar in each line: symbol, interval, close time (RFC 3339), open, high,
low, close and volume, separated by blanks. After publishing, the client prints a JSON object with `stored`.
"""

import math

import grpc

from glasstape.conformance.messages import CLOSE, predictions
from glasstape.conformance.scenario import Trial, scenario
from glasstape.conformance.scripted import Failure
from glasstape.v1 import inference_pb2, market_pb2

BARS = 3
ENDS_IN_S = 20


@scenario("predict")
def takes_problems_of_items(trial: Trial) -> None:
    """Use the predictions of a response in which other items are problems, each with its own model."""
    answers = {"Predict": [predictions(["AAPL", "XNONE", "MSFT"])]}
    server = trial.serve(unary=answers)
    client = trial.start(server.address, "predict AAPL XNONE MSFT")
    assert client.wait(ENDS_IN_S) in (0, 1), f"ended with status {client.returncode}"
    lines = {line.get("symbol"): line for line in trial.lines()}
    assert set(lines) == {"AAPL", "XNONE", "MSFT"}, f"printed {sorted(map(str, lines))}"
    assert "up" not in lines["XNONE"], "printed a probability of an item that failed"
    assert "XNONE" in str(lines["XNONE"].get("problem")), "does not say what is wrong with XNONE"
    for symbol in ("AAPL", "MSFT"):
        assert math.isclose(lines[symbol].get("up", 0), 0.5), f"printed {lines[symbol]} for {symbol}"
        assert lines[symbol].get("model") == "model-1", f"printed {lines[symbol]}, the model is model-1"


@scenario("predict")
def takes_big_responses(trial: Trial) -> None:
    """Take a response of more than 4 MiB."""
    symbols = [f"S{number:05d}" for number in range(100_000)]
    response = predictions(symbols)
    assert 4 << 20 < response.ByteSize() < 16 << 20, "the scenario must send 4-16 MiB"
    server = trial.serve(unary={"Predict": [response]})
    client = trial.start(server.address, "predict S00000")
    assert client.wait(60) == 0, f"ended with status {client.returncode}"
    assert len(trial.lines()) == len(symbols), f"printed {len(trial.lines())} of {len(symbols)} predictions"


@scenario("predict")
def repeats_no_wrong_request(trial: Trial) -> None:
    """End after INVALID_ARGUMENT with another status than 0, without a second attempt."""
    server = trial.serve(unary={"Predict": [Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")]})
    client = trial.start(server.address, "predict AAPL")
    assert client.wait(ENDS_IN_S) != 0, "ended with status 0"
    assert len(server.received("Predict")) == 1, "sent the request again"


@scenario("publish")
def publishes_again_when_it_got_no_answer(trial: Trial) -> None:
    """Send the same batch again after UNAVAILABLE."""
    lost = Failure(grpc.StatusCode.UNAVAILABLE, "DRAINING")
    taken = market_pb2.PublishBarsResponse(duplicates=BARS)
    server = trial.serve(unary={"PublishBars": [lost, taken]})
    client = trial.start(server.address, f"publish {_bars(trial)}")
    assert client.wait(ENDS_IN_S) == 0, f"ended with status {client.returncode}"
    sent = [received.request for received in server.received("PublishBars")]
    assert len(sent) == 2, f"sent {len(sent)} batches"
    assert sent[0].bars == sent[1].bars, "sent other bars the second time"
    assert [bar.symbol for bar in sent[0].bars] == ["AAPL"] * BARS
    for bar in sent[0].bars:
        missing = [name for name in ("open", "high", "low", "volume") if not bar.HasField(name)]
        assert not missing, f"left {missing[0]} unset"
        assert bar.close_time.ToDatetime().hour == CLOSE.hour, (
            f"sent the close {bar.close_time.ToJsonString()}"
        )


@scenario("publish")
def reports_rejected_bars(trial: Trial) -> None:
    """Say which bars were not stored, and end with another status than 0."""
    response = market_pb2.PublishBarsResponse(stored=BARS - 1, rejected=1)
    rejection = response.rejections.add(index=1, symbol="AAPL")
    rejection.problem.MergeFrom(inference_pb2.PredictResponse().predictions.add().problem)
    rejection.problem.code, rejection.problem.message = 3, "high: must be at least open, is 0.5"
    server = trial.serve(unary={"PublishBars": [response]})
    client = trial.start(server.address, f"publish {_bars(trial)}")
    assert client.wait(ENDS_IN_S) != 0, "ended with status 0"
    said = "".join((trial.folder / name).read_text("utf-8", "replace") for name in ("out", "err"))
    assert "must be at least open" in said, "does not say what is wrong"


def _bars(trial: Trial) -> str:
    file = trial.folder / "bars"
    rows = [
        f"AAPL 1d {CLOSE.replace(day=5 + number):%Y-%m-%dT%H:%M:%SZ} 10 11 9 10.5 1000"
        for number in range(BARS)
    ]
    file.write_text("\n".join(rows) + "\n")
    return str(file)
