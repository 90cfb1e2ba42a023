"""Predictions and gradient explanations of ready windows, encoded by the batch."""

import struct
from functools import lru_cache

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.message import Message
from numpy.typing import NDArray

from glasstape_server.domain.values import Float32s, Forecasts, Ints
from glasstape_server.engine.work import Maps
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.verdict import MIN_PEAK, MapFacts, judge_fast
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.explanations import quality_to
from glasstape_server.rpc.convert.layout import Bytes, Layout, key, prefixed, varint
from glasstape_server.rpc.convert.signals import ref_to

DRIVERS = 5
"""Drivers of an explanation."""
MOST_CELLS_ACROSS = 127
"""Bars or features of a window whose indices fit into one byte."""


def _prediction(model: Model) -> Layout:
    confidence = Layout(pb.Confidence)
    for field, size in (("direction", 1), ("class_index", 1), ("down", 8), ("flat", 8), ("up", 8)):
        confidence.place(field, size)
    confidence.place("abstained", 1).place("novelty", 8)
    ref = prefixed(pb.Prediction, "model", ref_to(model.ref).SerializeToString())
    return Layout(pb.Prediction).constant(ref).message("confidence", confidence)


@lru_cache(maxsize=16)
def _predictions(model: Model) -> Layout:
    return Layout(pb.PredictResponse).message("predictions", _prediction(model))


def _stated(made: Forecasts, path: str) -> dict[str, NDArray[np.generic]]:
    """The places of confidences."""
    winner = made.probabilities.argmax(axis=1).astype(np.uint8)
    values: dict[str, NDArray[np.generic]] = {
        "direction": winner + np.uint8(pb.DIRECTION_DOWN),
        "class_index": winner,
        "abstained": made.abstained,
        "novelty": made.novelty.astype("<f8"),
    }
    for index, name in enumerate(("down", "flat", "up")):
        values[name] = made.probabilities[:, index].astype("<f8")
    return {f"{path}.confidence.{name}": value for name, value in values.items()}


def predictions(model: Model, made: Forecasts) -> Bytes:
    """The repeated field of a PredictResponse, (n, bytes): one encoded prediction a row."""
    return _predictions(model).rows(len(made.logits), _stated(made, "predictions"))


class Explanations:
    """Encodes ordinary explanations: a map of every cell of a window, no baseline, at most the fast checks."""

    def __init__(self, model: Model, quantity: Quantity, quality: pb.QualityLevel.ValueType) -> None:
        steps, features = model.window_shape
        self._model = model
        shape = pb.Shape(time=steps, features=features)
        around = pb.Heatmap(quantity=pb.Quantity.ValueType(int(quantity)), native_shape=shape, shape=shape)
        heatmap = Layout(pb.Heatmap).data("values", 4 * steps * features)
        fixed = Layout(pb.Explanation).message("prediction", _prediction(model))
        fixed.message("heatmap", heatmap.constant(around.SerializeToString()))
        fixed.place("score", 8).place("target", 1).place("foil", 1)
        if quality != pb.QUALITY_LEVEL_NONE:
            judged = judge_fast(MapFacts(np.ones(model.window_shape, np.float32), quantity))
            verdict = quality_to(judged, quality).SerializeToString()
            fixed.constant(prefixed(pb.Explanation, "quality", verdict))
        self._fixed = fixed
        self._driver = Layout(pb.Driver).place("feature_index", 1).place("time_index", 1)
        self._driver.place("value", 8).place("z_score", 8).place("attribution", 8)
        span = pb.Shape(time=1, features=1).SerializeToString()
        self._driver.constant(prefixed(pb.Driver, "span", span))
        self._heads, self._head_sizes = self._driver_heads()
        self._mean = model.statistics.mean.numpy()
        self._deviation = model.statistics.deviation.numpy()

    @staticmethod
    def ordinary(maps: Maps) -> NDArray[np.bool_]:
        """Which rows can be encoded here, (n,): the others are degenerate, or have cells that are zero."""
        strength = np.abs(maps.values.reshape(len(maps.values), -1))
        finite, peak = np.isfinite(strength).all(axis=1), strength.max(axis=1) >= MIN_PEAK
        return np.asarray(finite & peak & ((strength > 0).sum(axis=1) >= DRIVERS))

    def encode(self, windows: Float32s, made: Forecasts, maps: Maps) -> tuple[bytes, Ints]:
        """The repeated field of an ExplainResponse, and the bytes of each explanation in it."""
        count = len(windows)
        values: dict[str, NDArray[np.generic]] = {
            **_stated(made, "prediction"),
            "heatmap.values": maps.values.astype("<f4"),
            "score": maps.score.astype("<f8"),
            "target": (maps.target + pb.DIRECTION_DOWN).astype(np.uint8),
            "foil": (maps.foil + pb.DIRECTION_DOWN).astype(np.uint8),  # -1, none, becomes UNSPECIFIED
        }
        fixed = self._fixed.rows(count, values)
        drivers, lengths = self._drivers(windows, maps.values)
        heads = [_head(size) for size in (fixed.shape[1] + lengths).tolist()]
        before, behind = fixed.tobytes(), drivers
        parts: list[bytes] = []
        first, width = 0, fixed.shape[1]
        for row, length in enumerate(lengths.tolist()):
            parts += (heads[row], before[row * width : (row + 1) * width], behind[first : first + length])
            first += length
        sizes = lengths + width + np.array([len(head) for head in heads])
        return b"".join(parts), np.asarray(sizes)

    def _drivers(self, windows: Float32s, values: Float32s) -> tuple[bytes, Ints]:
        """The drivers of all maps in one piece, and the bytes of each map's."""
        count, width = len(windows), values.shape[2]
        cells = _strongest(values)
        time, feature = np.divmod(cells, width)
        row = np.arange(count)[:, None]
        at = windows[row, time, feature]
        z = (at - self._mean[feature]) / self._deviation[feature]
        bodies = self._driver.rows(
            cells.size,
            {
                "feature_index": feature.astype(np.uint8),
                "time_index": time.astype(np.uint8),
                "value": at.astype("<f8"),
                "z_score": z.astype("<f8"),
                "attribution": values[row, time, feature].astype("<f8"),
            },
        )
        heads = self._heads[feature]
        encoded = np.concatenate([heads, bodies.reshape(count, cells.shape[1], -1)], axis=2)
        used = np.ones(encoded.shape, bool)
        used[:, :, : heads.shape[2]] = np.arange(heads.shape[2]) < self._head_sizes[feature][:, :, None]
        sizes = self._head_sizes[feature].sum(axis=1) + cells.shape[1] * len(self._driver)
        return encoded[used].tobytes(), np.asarray(sizes)

    def _driver_heads(self) -> tuple[Bytes, Ints]:
        """What stands before a driver's numbers, by feature: its key, its size and its feature's name."""
        heads = []
        for name in self._model.spec.names:
            named = prefixed(pb.Driver, "feature", name.encode())
            heads.append(key(pb.Explanation, "drivers") + varint(len(named) + len(self._driver)) + named)
        table = np.zeros((len(heads), max(map(len, heads))), np.uint8)
        for place, head in enumerate(heads):
            table[place, : len(head)] = np.frombuffer(head, np.uint8)
        return table, np.array([len(head) for head in heads])


@lru_cache(maxsize=64)
def explanations(model: Model, quantity: Quantity, quality: pb.QualityLevel.ValueType) -> Explanations:
    """The encoder of a model's explanations."""
    return Explanations(model, quantity, quality)


def timing(
    response: type[pb.PredictResponse] | type[pb.ExplainResponse], queue: float, compute: float
) -> bytes:
    """The timing field of a response; seconds."""
    made = _QUEUE + _duration(queue) + _COMPUTE + _duration(compute)
    return _TIMING[response] + made


def _duration(seconds: float) -> bytes:
    """A Duration, always of the same length."""
    whole, nanos = divmod(int(seconds * 1e9), 1_000_000_000)
    return _DURATION.pack(
        8, whole & 127 | 128, whole >> 7 & 127 | 128, whole >> 14 & 127,
        16, nanos & 127 | 128, nanos >> 7 & 127 | 128, nanos >> 14 & 127 | 128, nanos >> 21 & 127 | 128, nanos >> 28,
    )  # fmt: skip


_DURATION = struct.Struct("10B")
_QUEUE = key(pb.Timing, "queue_time") + varint(_DURATION.size)
_COMPUTE = key(pb.Timing, "compute_time") + varint(_DURATION.size)
_TIMING: dict[type[Message], bytes] = {
    response: key(response, "timing") + varint(len(_QUEUE) + len(_COMPUTE) + 2 * _DURATION.size)
    for response in (pb.PredictResponse, pb.ExplainResponse)
}


@lru_cache(maxsize=4096)
def _head(size: int) -> bytes:
    """What stands before an explanation of this many bytes."""
    return key(pb.ExplainResponse, "explanations") + varint(size)


def _strongest(values: Float32s) -> Ints:
    """Flat indices of the strongest cells of each map, (n, at most `DRIVERS`); of equal ones the first."""
    strength = np.abs(values.reshape(len(values), -1))
    found = np.empty((len(values), min(DRIVERS, strength.shape[1])), np.int64)
    row = np.arange(len(values))
    for place in range(found.shape[1]):
        found[:, place] = strength.argmax(axis=1)
        strength[row, found[:, place]] = -1
    return found
