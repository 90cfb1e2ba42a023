"""Encodes batches of predictions and gradient maps as arrays of bytes with a fixed layout (`layout`)."""

import struct
from functools import lru_cache

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.message import Message
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.domain.signals import Forecasts
from glasstape_server.engine.work import Maps
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.units import comparable, feature_scale
from glasstape_server.explain.verdict import MIN_PEAK, MapFacts, judge_fast
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.encoder import Encoded, PlainEncoder
from glasstape_server.rpc.convert.explanations import heatmap_to, quality_to
from glasstape_server.rpc.convert.layout import Bytes, Layout, key, prefixed, varint
from glasstape_server.serving.explanation import MapBatch
from glasstape_server.serving.requests import Include, QualityLevel

DRIVERS = 5
"""Drivers of an explanation."""
MAX_INDEX = 127
"""Largest index of a bar or feature that fits into one byte."""


class PackedEncoder:
    """Encodes whole batches as arrays; rows of another form than the usual one go to `PlainEncoder`."""

    def __init__(self) -> None:
        self._plain = PlainEncoder()

    def predictions(self, model: Model, stated: Forecasts) -> Encoded:
        """See `Encoder.predictions`."""
        values = _confidences(stated, "predictions")
        if stated.rank_scores is not None:
            values["predictions.rank_score"] = stated.rank_scores.astype("<f8")
        rows = _predictions(stated.rank_scores is not None).rows(len(stated.logits), values)
        return Encoded(rows.tobytes(), range(0, rows.size + 1, rows.shape[1]))

    def explanations(self, batch: MapBatch) -> Encoded:
        """See `Encoder.explanations`."""
        if not _is_packable(batch):
            return self._plain.explanations(batch)
        deviation = batch.model.statistics.deviation.numpy()
        packable = _packable_rows(comparable(batch.maps.values, batch.quantity, deviation))
        samples = int(batch.maps.samples[0]) if len(batch) else 0
        layout = _explanation_layout(batch.model, batch.quantity, samples, batch.quality, batch.include)
        packed = layout.encode(batch.windows, batch.forecasts, batch.maps)
        if packable.all():
            return packed
        rows = [
            packed.rows(row, row + 1) if packable[row] else self._plain.explanation(batch, row)
            for row in range(len(batch))
        ]
        return Encoded.of(rows)


def _is_packable(batch: MapBatch) -> bool:
    """Whether maps have a value for every cell, equal samples, no baseline score, and at most the fast checks."""
    maps, shape = batch.maps, batch.model.window_shape
    return (
        max(shape) <= MAX_INDEX
        and batch.quantity is not Quantity.CONTRIBUTION
        and not batch.work.request.checked
        and maps.sign_stability is None
        and bool(np.isnan(maps.baseline_score).all() and np.isnan(maps.completeness_error).all())
        and bool((maps.samples == maps.samples[:1]).all())
        and bool((maps.native_shape == shape).all())
    )


def _packable_rows(values: Float32s) -> NDArray[np.bool_]:
    """Return which rows are not degenerate and have as many drivers as there may be, (n,).

    Args:
        values: maps in comparable units, (n, time, feature).
    """
    strength = np.abs(values.reshape(len(values), -1))
    finite, peak = np.isfinite(strength).all(axis=1), strength.max(axis=1) >= MIN_PEAK
    return np.asarray(finite & peak & ((strength > 0).sum(axis=1) >= DRIVERS))


def _prediction() -> Layout:
    confidence = Layout(pb.Confidence)
    for field, size in (("direction", 1), ("class_index", 1), ("down", 8), ("flat", 8), ("up", 8)):
        confidence.varying_field(field, size)
    confidence.varying_field("abstained", 1).varying_field("novelty", 8)
    return Layout(pb.Prediction).message("confidence", confidence)


@lru_cache(maxsize=2)
def _predictions(ranked: bool) -> Layout:
    prediction = _prediction()
    if ranked:
        prediction.varying_field("rank_score", 8)
    return Layout(pb.PredictResponse).message("predictions", prediction)


def _confidences(stated: Forecasts, path: str) -> dict[str, NDArray[np.generic]]:
    """Return the values of the varying fields of confidences."""
    winner = stated.probabilities.argmax(axis=1).astype(np.uint8)
    values: dict[str, NDArray[np.generic]] = {
        "direction": winner + np.uint8(pb.DIRECTION_DOWN),
        "class_index": winner,
        "abstained": stated.abstained,
        "novelty": stated.novelty.astype("<f8"),
    }
    for index, name in enumerate(("down", "flat", "up")):
        values[name] = stated.probabilities[:, index].astype("<f8")
    return {f"{path}.confidence.{name}": value for name, value in values.items()}


class _ExplanationLayout:
    """Layout of the explanations of one model, quantity, number of samples, quality and include."""

    def __init__(
        self, model: Model, quantity: Quantity, samples: int, quality: QualityLevel, include: Include
    ) -> None:
        steps, features = model.window_shape
        self._model = model
        self._quantity = quantity
        self._include = include
        self._mean = model.statistics.mean.numpy()
        self._deviation = model.statistics.deviation.numpy()
        scale = feature_scale(quantity, self._deviation)
        heatmap_constants = heatmap_to(
            [], quantity, model.window_shape, model.window_shape, scale=scale
        ).SerializeToString()
        heatmap = Layout(pb.Heatmap).data("values", 4 * steps * features).constant(heatmap_constants)
        fixed_part = Layout(pb.Explanation).message("heatmap", heatmap)
        fixed_part.varying_field("score", 8).varying_field("target", 1).varying_field("foil", 1)
        if samples:
            fixed_part.constant(pb.Explanation(samples=samples).SerializeToString())
        if include.prediction:
            fixed_part.message("prediction", _prediction())
        if quality is not QualityLevel.NONE:
            judged = judge_fast(MapFacts(np.ones(model.window_shape, np.float32), quantity))
            verdict = quality_to(judged, quality).SerializeToString()
            fixed_part.constant(prefixed(pb.Explanation, "quality", verdict))
        self._fixed_part = fixed_part
        self._driver = Layout(pb.Driver).varying_field("feature_index", 1).varying_field("time_index", 1)
        self._driver.varying_field("value", 8).varying_field("z_score", 8).varying_field("attribution", 8)
        span = pb.Heatmap.Shape(time=1, features=1).SerializeToString()
        self._driver.constant(prefixed(pb.Driver, "span", span))
        self._field_prefixes, self._field_prefix_sizes = self._driver_field_prefixes()

    def encode(self, windows: Float32s, stated: Forecasts, maps: Maps) -> Encoded:
        """Return `ExplainResponse.results`."""
        count = len(windows)
        values: dict[str, NDArray[np.generic]] = {
            **_confidences(stated, "prediction"),
            "heatmap.values": maps.values.astype("<f4"),
            "score": maps.score.astype("<f8"),
            "target": (maps.target + pb.DIRECTION_DOWN).astype(np.uint8),
            "foil": (maps.foil + pb.DIRECTION_DOWN).astype(np.uint8),  # -1, none, becomes UNSPECIFIED
        }
        fixed_part = self._fixed_part.rows(count, values)
        drivers, lengths = b"", np.zeros(count, np.int64)
        if self._include.drivers:
            drivers, lengths = self._drivers(windows, maps.values)
        before, width, first = fixed_part.tobytes(), fixed_part.shape[1], 0
        field_prefixes = [_field_prefix(size) for size in (width + lengths).tolist()]
        parts: list[bytes] = []
        for row, length in enumerate(lengths.tolist()):
            parts += (
                field_prefixes[row],
                before[row * width : (row + 1) * width],
                drivers[first : first + length],
            )
            first += length
        sizes = lengths + width + np.array([len(prefix) for prefix in field_prefixes], np.int64)
        return Encoded(b"".join(parts), [0, *sizes.cumsum().tolist()])

    def _drivers(self, windows: Float32s, values: Float32s) -> tuple[bytes, Ints]:
        """Return the drivers of all maps in one piece, and the bytes of each map's."""
        count, width = len(windows), values.shape[2]
        cells = _strongest(comparable(values, self._quantity, self._deviation))
        time, feature = np.divmod(cells, width)
        row = np.arange(count)[:, None]
        cell_values = windows[row, time, feature]
        z = (cell_values - self._mean[feature]) / self._deviation[feature]
        bodies = self._driver.rows(
            cells.size,
            {
                "feature_index": feature.astype(np.uint8),
                "time_index": time.astype(np.uint8),
                "value": cell_values.astype("<f8"),
                "z_score": z.astype("<f8"),
                "attribution": values[row, time, feature].astype("<f8"),
            },
        )
        field_prefixes = self._field_prefixes[feature]
        encoded = np.concatenate([field_prefixes, bodies.reshape(count, cells.shape[1], -1)], axis=2)
        used = np.ones(encoded.shape, bool)
        prefix_sizes = self._field_prefix_sizes[feature]
        longest = field_prefixes.shape[2]
        used[:, :, :longest] = np.arange(longest) < prefix_sizes[:, :, None]
        sizes = prefix_sizes.sum(axis=1) + cells.shape[1] * len(self._driver)
        return encoded[used].tobytes(), np.asarray(sizes)

    def _driver_field_prefixes(self) -> tuple[Bytes, Ints]:
        """Return what precedes a driver's numbers, by feature: its tag, its size and its feature's name."""
        field_prefixes = []
        for name in self._model.spec.names:
            named = prefixed(pb.Driver, "feature", name.encode())
            field_prefixes.append(
                key(pb.Explanation, "drivers") + varint(len(named) + len(self._driver)) + named
            )
        table = np.zeros((len(field_prefixes), max(map(len, field_prefixes))), np.uint8)
        for place, prefix in enumerate(field_prefixes):
            table[place, : len(prefix)] = np.frombuffer(prefix, np.uint8)
        return table, np.array([len(prefix) for prefix in field_prefixes])


@lru_cache(maxsize=64)
def _explanation_layout(
    model: Model, quantity: Quantity, samples: int, quality: QualityLevel, include: Include
) -> _ExplanationLayout:
    return _ExplanationLayout(model, quantity, samples, quality, include)


def timing(
    response: type[pb.PredictResponse] | type[pb.ExplainResponse], queue: float, compute: float
) -> bytes:
    """Return the timing field of a response; seconds."""
    return _TIMING[response] + _QUEUE + _duration(queue) + _COMPUTE + _duration(compute)


def _duration(seconds: float) -> bytes:
    """Return a Duration, always of the same length."""
    whole, nanos = divmod(int(seconds * 1e9), 1_000_000_000)
    return _DURATION.pack(
        8, whole & 127 | 128, whole >> 7 & 127 | 128, whole >> 14 & 127,
        16, nanos & 127 | 128, nanos >> 7 & 127 | 128, nanos >> 14 & 127 | 128, nanos >> 21 & 127 | 128, nanos >> 28,
    )  # fmt: skip


_DURATION = struct.Struct("10B")
_QUEUE = key(pb.ServerTiming, "queue_time") + varint(_DURATION.size)
_COMPUTE = key(pb.ServerTiming, "compute_time") + varint(_DURATION.size)
_TIMING: dict[type[Message], bytes] = {
    response: key(response, "timing") + varint(len(_QUEUE) + len(_COMPUTE) + 2 * _DURATION.size)
    for response in (pb.PredictResponse, pb.ExplainResponse)
}


@lru_cache(maxsize=4096)
def _field_prefix(size: int) -> bytes:
    """Return what precedes an explanation of this many bytes: the tags and sizes of two messages."""
    inner = key(pb.ExplanationResult, "explanation") + varint(size)
    return key(pb.ExplainResponse, "results") + varint(len(inner) + size) + inner


def _strongest(values: Float32s) -> Ints:
    """Return flat indices of the strongest cells of each map, (n, at most `DRIVERS`); of equal ones the first."""
    strength = np.abs(values.reshape(len(values), -1))
    indices = np.empty((len(values), min(DRIVERS, strength.shape[1])), np.int64)
    row = np.arange(len(values))
    for place in range(indices.shape[1]):
        indices[:, place] = strength.argmax(axis=1)
        strength[row, indices[:, place]] = -1
    return indices
