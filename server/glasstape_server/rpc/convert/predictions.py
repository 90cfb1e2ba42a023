"""Predictions for the wire, and the table of models that a message carries once."""

from glasstape.v1 import inference_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from glasstape_server.domain.signals import Confidence, Direction, ModelRef
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.rpc.status import problem_of
from glasstape_server.serving.inference import Predictions, Timing
from glasstape_server.serving.items import Item

DIRECTIONS: tuple[pb.Direction.ValueType, ...] = (pb.DIRECTION_DOWN, pb.DIRECTION_FLAT, pb.DIRECTION_UP)
"""Wire direction by class index."""


class ModelTable:
    """The models of one message: its `models`, and the index of each."""

    def __init__(self) -> None:
        self._indices: dict[ModelRef, int] = {}

    def index(self, ref: ModelRef) -> int:
        """Return the index of a model, which is added if it is new."""
        return self._indices.setdefault(ref, len(self._indices))

    def messages(self) -> list[pb.ModelRef]:
        """Return the table."""
        return [ref_to(ref) for ref in self._indices]


def direction_from(value: int) -> Direction | None:
    """Return a direction; None for UNSPECIFIED."""
    return None if value == pb.DIRECTION_UNSPECIFIED else Direction(value - 1)


def direction_to(class_index: int | None) -> pb.Direction.ValueType:
    """Return the direction of a class; None and -1 are unspecified."""
    return pb.DIRECTION_UNSPECIFIED if class_index is None or class_index < 0 else DIRECTIONS[class_index]


def ref_to(ref: ModelRef) -> pb.ModelRef:
    """Return a model's identity for the wire."""
    return pb.ModelRef(
        name=ref.name,
        version=ref.version,
        digest=ref.digest,
        feature_spec_hash=ref.feature_spec_hash,
    )


def confidence_to(confidence: Confidence) -> pb.Confidence:
    """Return probabilities for the wire."""
    direction = confidence.direction
    return pb.Confidence(
        direction=DIRECTIONS[direction],
        class_index=int(direction),
        down=confidence.down,
        flat=confidence.flat,
        up=confidence.up,
        abstained=confidence.abstained,
        novelty=confidence.novelty,
    )


def confidence_from(message: pb.Confidence) -> Confidence:
    """Return probabilities from the wire."""
    return Confidence(message.down, message.flat, message.up, message.abstained, message.novelty)


def predict_response_to(predictions: Predictions) -> pb.PredictResponse:
    """Return the response of a Predict call."""
    table = ModelTable()
    messages = [
        prediction_to(item, confidence, table)
        for item, confidence in zip(predictions.items, predictions.confidences, strict=True)
    ]
    return pb.PredictResponse(
        predictions=messages, models=table.messages(), timing=timing_to(predictions.timing)
    )


def prediction_to(item: Item, confidence: Confidence | None, table: ModelTable) -> pb.Prediction:
    """Return one prediction; the item's problem if it failed."""
    message = pb.Prediction(
        symbol=item.symbol,
        missing_bars=item.missing_bars,
        missing_symbols=item.missing_symbols,
        rank_score=item.rank_score if item.error is None else None,
    )
    if item.model is not None:
        message.model_index = table.index(item.model.ref)
    if item.bar_close_time is not None:
        message.bar_close_time.CopyFrom(timestamp(item.bar_close_time))
    if item.error is not None:
        message.problem.CopyFrom(problem_of(item.error))
    elif confidence is not None:
        message.confidence.CopyFrom(confidence_to(confidence))
    return message


def timing_to(timing: Timing) -> pb.ServerTiming:
    """Return where the time went."""
    return pb.ServerTiming(queue_time=_duration(timing.queue), compute_time=_duration(timing.compute))


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(int(seconds * 1e6))
    return duration
