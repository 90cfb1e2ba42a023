"""Messages that the scripted server sends: valid in every field."""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from glasstape.v1 import errors_pb2, inference_pb2, market_pb2, signals_pb2

EPOCH, OTHER_EPOCH = "00000000000000aa", "00000000000000bb"
TOKENS = [bytes([number]) * 33 for number in range(16)]
"""Tokens by number; 0 is not used."""
CLOSE = datetime(2026, 1, 5, 21, tzinfo=UTC)
"Close of the bars of events."


def model(number: int = 1) -> inference_pb2.ModelRef:
    """Return a reference to a model."""
    return inference_pb2.ModelRef(
        name=f"model-{number}", version="1", digest=f"{number:064x}", feature_spec_hash="0" * 64
    )


def confidence() -> inference_pb2.Confidence:
    """Return a confidence of UP."""
    return inference_pb2.Confidence(
        direction=inference_pb2.DIRECTION_UP, class_index=2, down=0.25, flat=0.25, up=0.5
    )


def opened(
    result: int = signals_pb2.OPEN_RESULT_STARTED, epoch: str = EPOCH, token: bytes = b""
) -> signals_pb2.SignalsResponse:
    """Return the first message of a stream."""
    message = signals_pb2.SignalsResponse(
        resume_token=token,
        opened=signals_pb2.Opened(epoch=epoch, contract_version="1.0", model=model()),
    )
    message.opened.result = result  # type: ignore[assignment]  # also results that this contract does not have
    return message


def event(sequence: int, symbol: str = "AAPL", model_index: int = 0) -> signals_pb2.Event:
    """Return an outcome."""
    made = signals_pb2.Event(sequence=sequence, symbol=symbol, interval="1d", model_index=model_index)
    made.outcome.confidence_sequence = 1
    made.outcome.predicted = made.outcome.realized = inference_pb2.DIRECTION_UP
    made.outcome.hit = True
    made.outcome.probabilities.MergeFrom(confidence())
    for moment in (made.bar_close_time, made.publish_time, made.outcome.signal_bar_close_time):
        moment.FromDatetime(CLOSE)
    return made


def batch(first: int, last: int, token: bytes, *, snapshot: bool = False) -> signals_pb2.SignalsResponse:
    """Return events FIRST to LAST."""
    events = [event(sequence) for sequence in range(first, last + 1)]
    return signals_pb2.SignalsResponse(
        resume_token=token,
        through_sequence=last,
        batch=signals_pb2.EventBatch(events=events, snapshot=snapshot, models=[model()]),
    )


def heartbeat(token: bytes = b"") -> signals_pb2.SignalsResponse:
    """Return a heartbeat."""
    now = Timestamp()
    now.GetCurrentTime()
    beat = signals_pb2.Heartbeat(server_time=now, market_time=now, data_state=market_pb2.DATA_STATE_LIVE)
    return signals_pb2.SignalsResponse(resume_token=token, heartbeat=beat)


def goodbye(seconds: float) -> signals_pb2.SignalsResponse:
    """Return the last message of a stream that the server ends."""
    message = signals_pb2.SignalsResponse(
        goodbye=signals_pb2.Goodbye(reason=signals_pb2.GOODBYE_REASON_DRAIN)
    )
    message.goodbye.retry_delay.FromMilliseconds(round(1000 * seconds))
    return message


def gap(first: int, last: int, token: bytes) -> signals_pb2.SignalsResponse:
    """Return a known loss."""
    lost = signals_pb2.SequenceGap(first_sequence=first, last_sequence=last)
    return signals_pb2.SignalsResponse(resume_token=token, through_sequence=last, gap=lost)


def heatmaps(sequences: Sequence[int]) -> signals_pb2.SignalsResponse:
    """Return maps of earlier events; they carry no token."""
    maps = signals_pb2.SignalHeatmaps(models=[model()])
    for sequence in sequences:
        each = maps.heatmaps.add(sequence=sequence)
        each.explanation.heatmap.values.extend([0.5] * 48)
        each.explanation.heatmap.shape.time, each.explanation.heatmap.shape.features = 6, 8
    return signals_pb2.SignalsResponse(heatmaps=maps)


def predictions(symbols: Sequence[str]) -> inference_pb2.PredictResponse:
    """Return predictions of two models; every symbol that begins with X is a problem."""
    response = inference_pb2.PredictResponse(models=[model(1), model(2)])
    for number, symbol in enumerate(symbols):
        each = response.predictions.add(symbol=symbol, model_index=number % 2)
        if symbol.startswith("X"):
            each.problem.code, each.problem.message = 5, f"no 1d bars of {symbol!r}"
            each.problem.reason = errors_pb2.ERROR_REASON_SYMBOL_NOT_FOUND
        else:
            each.confidence.MergeFrom(confidence())
    return response
