"""The events of a close, encoded by column. `signals.encode_event` is the definition: the bytes are the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from glasstape.v1 import signals_pb2 as pb
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.times import SECOND
from glasstape_server.rpc.convert.message_columns import Column, Present, encode_messages
from glasstape_server.rpc.convert.signals import ENTRIES, LABEL_KINDS
from glasstape_server.signals.close_batch import CloseBatch
from glasstape_server.signals.columns import Confidences, Outcomes, Signals

_EVENT = pb.Event.DESCRIPTOR


def encode_close(batch: CloseBatch, head: int) -> list[bytes]:
    """Return the encoded events of a close that follow the event `head`, in order."""
    signals, outcomes, time = batch.signals, batch.outcomes, batch.publish_time
    series, sequence, closes = (
        _SeriesNames.of(signals.closed.keys),
        head + signals.position,
        signals.closed.close_time,
    )
    rows, buys = np.arange(len(signals)), np.flatnonzero(signals.is_buy)
    encoded_outcomes = _events(
        _SeriesNames.of(outcomes.keys), head + 1 + np.arange(len(outcomes)), outcomes.close_time, time,
        {"outcome": _outcomes(outcomes)},
    )  # fmt: skip
    confidences = _events(series, sequence, closes, time, {"confidence": _signals(signals, series, rows)})
    body: Mapping[str, Column] = {
        "confidence_sequence": sequence[buys],
        "signal": _signals(signals, series, buys),
    }
    encoded_buys = _events(series.rows(buys), sequence[buys] + 1, closes[buys], time, {"buy": body})
    payloads = encoded_outcomes + [b""] * (len(confidences) + len(encoded_buys))
    for places, events in ((signals.position, confidences), (signals.position[buys] + 1, encoded_buys)):
        for place, event in zip(places.tolist(), events, strict=True):
            payloads[place - 1] = event
    return payloads


@dataclass(frozen=True, slots=True)
class _SeriesNames:
    """Names of series of one interval."""

    symbols: NDArray[np.bytes_]
    interval: str

    @classmethod
    def of(cls, keys: Sequence[SeriesKey]) -> "_SeriesNames":
        symbols = np.array([symbol for symbol, _ in keys], np.bytes_)
        return cls(symbols, keys[0][1] if keys else "")

    def rows(self, chosen: Ints) -> "_SeriesNames":
        return _SeriesNames(self.symbols[chosen], self.interval)


def _events(
    series: _SeriesNames, sequence: Ints, close_time: Ints, publish_time: int, body: Mapping[str, Column]
) -> list[bytes]:
    """Return encoded events, with the columns of their kind."""
    columns: dict[str, Column] = {
        "sequence": sequence,
        "symbol": series.symbols,
        "interval": series.interval,
        "bar_close_time": _timestamps(close_time),
        "publish_time": _timestamps(np.array([publish_time])),
    }
    return encode_messages(_EVENT, {**columns, **body}, len(sequence))


def _signals(signals: Signals, series: _SeriesNames, rows: Ints) -> Mapping[str, Column]:
    """Return the columns of some signals."""
    closed, rule = signals.closed, signals.rule
    open_, high, low, close, volume = closed.prices[:, rows]
    previous = closed.previous_session_close[rows]
    return {
        "probabilities": _confidences(signals.confidences.rows(rows)),
        "bar": {
            "symbol": series.symbols[rows],
            "interval": series.interval,
            "close_time": _timestamps(closed.close_time[rows]),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        },
        "reference_close": close,
        "previous_session_close": Present(previous, ~np.isnan(previous)),
        "horizon_bars": rule.horizon_bars,
        "entry": ENTRIES[rule.entry],
        "expire_time": _timestamps(closed.expire_time[rows]),
        "data_state": closed.data_state[rows],
        "flat_threshold": closed.flat_threshold[rows],
        "label_kind": LABEL_KINDS[rule.kind],
        "missing_bars": closed.missing_bars[rows],
        "missing_symbols": closed.missing_symbols[rows],
        "rank_score": Present(signals.rank_score[rows], ~np.isnan(signals.rank_score[rows])),
        "close_rank": signals.close_rank[rows],
        "close_size": signals.close_size[rows],
    }


def _outcomes(outcomes: Outcomes) -> Mapping[str, Column]:
    confidences = outcomes.confidences
    predicted = confidences.class_index
    return {
        "confidence_sequence": outcomes.confidence_sequence,
        "signal_bar_close_time": _timestamps(outcomes.signal_close_time),
        "predicted": predicted + 1,
        "realized": outcomes.realized + 1,
        "realized_return": outcomes.realized_return,
        "hit": predicted == outcomes.realized,
        "abstained": confidences.abstained,
        "probabilities": _confidences(confidences),
    }


def _confidences(confidences: Confidences) -> Mapping[str, Column]:
    down, flat, up = confidences.probabilities.T
    class_index = confidences.class_index
    return {
        "direction": class_index + 1,
        "class_index": class_index,
        "down": down,
        "flat": flat,
        "up": up,
        "abstained": confidences.abstained,
        "novelty": confidences.novelty,
    }


def _timestamps(times: Ints) -> Mapping[str, Column]:
    seconds, rest = np.divmod(times, SECOND)
    return {"seconds": seconds, "nanos": rest * 1000}
