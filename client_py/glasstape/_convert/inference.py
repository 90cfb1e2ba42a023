"""Inputs and predictions."""

from collections.abc import Iterable, Sequence

from numpy.typing import ArrayLike

from glasstape._convert.arrays import windows_to
from glasstape._convert.common import error_from, time_from
from glasstape._convert.market import bars_to
from glasstape._convert.references import refs_from
from glasstape._convert.values import instances, integers, items, texts
from glasstape._scalars import integer, shown
from glasstape.errors import InvalidRequestError
from glasstape.types.enums import Direction
from glasstape.types.inference import Confidence, ModelRef, Prediction
from glasstape.types.market import Bar
from glasstape.v1 import inference_pb2 as pb


def input_to(
    windows: ArrayLike | None,
    bars: Sequence[Sequence[Bar]] | None,
    symbols: Sequence[str] | None,
    signals: Sequence[int] | None,
) -> pb.PredictionInput:
    """Return the message of the one source that is set.

    Raises:
        InvalidRequestError: none or several are set, or one is malformed.
    """
    sources = {"windows": windows, "bars": bars, "symbols": symbols, "signals": signals}
    present = [name for name, value in sources.items() if value is not None]
    if len(present) != 1:
        raise InvalidRequestError.field(
            "input", f"must be one of windows, bars, symbols, signals; is {', '.join(present) or 'none'}"
        )
    if windows is not None:
        return pb.PredictionInput(windows=windows_to(windows))
    if bars is not None:
        parts = enumerate(items(bars, "bars", "sequences of Bar"))
        series = [
            pb.BarSequence(bars=bars_to(instances(p, Bar, f"bars[{n}]"), f"bars[{n}]")) for n, p in parts
        ]
        return pb.PredictionInput(bars=pb.BarSeries(series=series))
    if symbols is not None:
        return pb.PredictionInput(symbols=pb.Symbols(symbols=symbols_to(symbols)))
    return pb.PredictionInput(signals=pb.SignalRefs(sequences=integers(signals, "signals")))


def symbols_to(symbols: Iterable[str]) -> list[str]:
    """Return the symbols.

    Raises:
        InvalidRequestError: they are no sequence of texts, for example a single text.
    """
    return texts(symbols, "symbols", "symbols")


def direction_to(direction: Direction | str | None, field: str) -> pb.Direction.ValueType:
    """Return the number of a direction; UNSPECIFIED for None.

    Raises:
        InvalidRequestError: no such direction.
    """
    if direction is None:
        return pb.DIRECTION_UNSPECIFIED
    try:
        index = Direction[direction.upper()] if isinstance(direction, str) else integer(direction, field)
        return pb.Direction.ValueType(Direction(index) + 1)
    except (KeyError, ValueError, InvalidRequestError):
        raise InvalidRequestError.field(field, f"must be DOWN, FLAT or UP, is {shown(direction)}") from None


def direction_from(value: int) -> Direction | None:
    """Return a direction; None for UNSPECIFIED."""
    return Direction(value - 1) if value else None


_DIRECTIONS = {direction + 1: direction for direction in Direction}


def direction_of(message: pb.Confidence) -> Direction:
    """Return the winning class.

    Raises:
        KeyError: it is not set.
    """
    return _DIRECTIONS[message.direction]


def confidence_from(message: pb.Confidence) -> Confidence:
    """Return confidences."""
    return Confidence(
        direction=direction_of(message),
        down=message.down,
        flat=message.flat,
        up=message.up,
        abstained=message.abstained,
        novelty=message.novelty,
    )


def predictions_from(response: pb.PredictResponse) -> list[Prediction]:
    """Return the predictions of a response."""
    models = refs_from(response.models)
    return [prediction_from(item, models) for item in response.predictions]


def prediction_from(message: pb.Prediction, models: Sequence[ModelRef]) -> Prediction:
    """Return one prediction; `models` is the table of its message."""
    failed = message.WhichOneof("result") == "problem"
    return Prediction(
        model=None if failed else models[message.model_index],
        confidence=None if failed else confidence_from(message.confidence),
        error=error_from(message.problem) if failed else None,
        symbol=message.symbol,
        bar_close_time=time_from(message.bar_close_time) if message.HasField("bar_close_time") else None,
        missing_bars=message.missing_bars,
        missing_symbols=message.missing_symbols,
        rank_score=message.rank_score if message.HasField("rank_score") else None,
    )
