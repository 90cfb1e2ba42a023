"""Encodes batches of predictions and gradient maps as arrays of bytes with a fixed layout (`layout`)."""

import struct
from collections.abc import Sequence
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
from glasstape_server.rpc.convert.layout import Bytes, Layout, key, prefixed, sized_number, varint
from glasstape_server.serving.explanation import MapBatch
from glasstape_server.serving.requests import Include, QualityLevel

DRIVERS = 5
"""Drivers of an explanation."""
MAX_INDEX = 127
"""Largest index of a bar or feature that fits into one byte."""
_LEAST_INDEX_BYTES = 2
"""Of the index of a feature, with its tag."""


class PackedEncoder:
    """Encodes whole batches as arrays; rows of another form than the usual one go to `PlainEncoder`."""

    def __init__(self) -> None:
        self._plain = PlainEncoder()

    def predictions(self, model: Model, stated: Forecasts) -> Encoded:
        """See `Encoder.predictions`."""
        layout = _predictions(stated.rank_scores is not None)
        rows = layout.rows(len(stated.logits))
        _fill_confidences(rows, stated, "predictions.confidence.")
        if stated.rank_scores is not None:
            rows["predictions.rank_score"] = stated.rank_scores
        return _encoded(rows)

    def explanations(self, batch: MapBatch) -> Encoded:
        """See `Encoder.explanations`."""
        if not _is_packable(batch):
            return self._plain.explanations(batch)
        samples = int(batch.maps.samples[0]) if len(batch) else 0
        layout = _explanation_layout(batch.model, batch.quantity, samples, batch.quality, batch.include)
        packed, packable = layout.encode(batch.windows, batch.forecasts, batch.maps)
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
        and shape[0] * shape[1] >= DRIVERS
        and batch.quantity is not Quantity.CONTRIBUTION
        and not batch.work.request.checked
        and maps.sign_stability is None
        and bool(np.isnan(maps.baseline_score).all() and np.isnan(maps.completeness_error).all())
        and bool((maps.samples == maps.samples[:1]).all())
        and bool((maps.native_shape == shape).all())
    )


def _prediction() -> Layout:
    confidence = Layout(pb.Confidence)
    for field in ("direction", "class_index", "abstained"):
        confidence.varying_field(field, "u1")
    for field in ("down", "flat", "up", "novelty"):
        confidence.varying_field(field, "<f8")
    return Layout(pb.Prediction).message("confidence", confidence)


@lru_cache(maxsize=2)
def _predictions(ranked: bool) -> Layout:
    prediction = _prediction()
    if ranked:
        prediction.varying_field("rank_score", "<f8")
    return Layout(pb.PredictResponse).message("predictions", prediction)


def _fill_confidences(rows: NDArray[np.void], stated: Forecasts, path: str) -> None:
    """Fill the columns of confidences."""
    winner = stated.probabilities.argmax(axis=1)
    rows[path + "direction"] = winner + int(pb.DIRECTION_DOWN)
    rows[path + "class_index"] = winner
    rows[path + "abstained"] = stated.abstained
    rows[path + "novelty"] = stated.novelty
    for index, name in enumerate(("down", "flat", "up")):
        rows[path + name] = stated.probabilities[:, index]


def _encoded(rows: NDArray[np.void]) -> Encoded:
    return Encoded(rows.tobytes(), range(0, rows.nbytes + 1, rows.itemsize))


class _ExplanationLayout:
    """Layout of the explanations of one model, quantity, number of samples, quality and include."""

    def __init__(
        self, model: Model, quantity: Quantity, samples: int, quality: QualityLevel, include: Include
    ) -> None:
        steps, features = model.window_shape
        self._quantity = quantity
        self._include = include
        self._mean = model.statistics.mean.numpy()
        self._deviation = model.statistics.deviation.numpy()
        scale = feature_scale(quantity, self._deviation)
        heatmap_constants = heatmap_to(
            [], quantity, model.window_shape, model.window_shape, scale=scale
        ).SerializeToString()
        heatmap = Layout(pb.Heatmap).floats("values", steps * features).constant(heatmap_constants)
        explanation = Layout(pb.Explanation).message("heatmap", heatmap)
        explanation.varying_field("score", "<f8").varying_field("target", "u1").varying_field("foil", "u1")
        if samples:
            explanation.constant(pb.Explanation(samples=samples).SerializeToString())
        if include.prediction:
            explanation.message("prediction", _prediction())
        if quality is not QualityLevel.NONE:
            judged = judge_fast(MapFacts(np.ones(model.window_shape, np.float32), quantity))
            verdict = quality_to(judged, quality).SerializeToString()
            explanation.constant(prefixed(pb.Explanation, "quality", verdict))
        if include.drivers:
            self._names = _driver_names(model.spec.names)
            explanation.messages("drivers", _driver(self._names.shape[1]), DRIVERS)
        result = Layout(pb.ExplanationResult).message("explanation", explanation)
        self._layout = Layout(pb.ExplainResponse).message("results", result)

    def encode(self, windows: Float32s, stated: Forecasts, maps: Maps) -> tuple[Encoded, NDArray[np.bool_]]:
        """Return `ExplainResponse.results`, and which of them are right, (n,).

        The others are degenerate, or have fewer drivers than there may be.
        """
        count, path = len(windows), "results.explanation."
        values = maps.values.reshape(count, -1)
        strength = np.abs(comparable(maps.values, self._quantity, self._deviation)).reshape(count, -1)
        cells = _strongest(strength)
        flat = cells + np.arange(count)[:, None] * strength.shape[1]
        strongest = strength.take(flat)
        peak = strongest[:, 0]  # NaN if any cell is
        packable = np.isfinite(peak) & (peak >= MIN_PEAK) & (strongest[:, -1] > 0)
        rows = self._layout.rows(count)
        rows[path + "heatmap.values"] = values
        rows[path + "score"] = maps.score
        rows[path + "target"] = maps.target + int(pb.DIRECTION_DOWN)
        rows[path + "foil"] = maps.foil + int(pb.DIRECTION_DOWN)  # -1, none, becomes UNSPECIFIED
        if self._include.prediction:
            _fill_confidences(rows, stated, path + "prediction.confidence.")
        if self._include.drivers:
            drivers = rows[path + "drivers"]
            self._fill_drivers(drivers, cells, windows.take(flat), values.take(flat))
        return _encoded(rows), packable

    def _fill_drivers(
        self, drivers: NDArray[np.void], cells: Ints, values: Float32s, attributions: Float32s
    ) -> None:
        """Fill the columns of drivers; all arguments are (n, `DRIVERS`).

        Args:
            drivers: to fill.
            cells: their indices in a window.
            values: of the window there.
            attributions: of the map there.
        """
        time, feature = np.divmod(cells, len(self._mean))
        drivers["name"] = self._names[feature]
        drivers["time_index"] = time
        drivers["value"] = values
        drivers["z_score"] = (values - self._mean[feature]) / self._deviation[feature]
        drivers["attribution"] = attributions


def _driver(name_bytes: int) -> Layout:
    """Return the layout of a driver whose feature takes so many bytes."""
    driver = Layout(pb.Driver).varying_bytes("name", ("u1", (name_bytes,))).varying_field("time_index", "u1")
    for field in ("value", "z_score", "attribution"):
        driver.varying_field(field, "<f8")
    span = pb.Heatmap.Shape(time=1, features=1).SerializeToString()
    return driver.constant(prefixed(pb.Driver, "span", span))


def _driver_names(features: Sequence[str]) -> Bytes:
    """Return the encoded name and index of each feature, (feature, bytes): all of the length of the longest.

    The index makes up for the length of the name, so that all drivers have one size.
    """
    names = [prefixed(pb.Driver, "feature", name.encode()) for name in features]
    longest = max(map(len, names))
    encoded = [
        name + sized_number(pb.Driver, "feature_index", index, longest - len(name) + _LEAST_INDEX_BYTES)
        for index, name in enumerate(names)
    ]
    return np.frombuffer(b"".join(encoded), np.uint8).reshape(len(features), -1)


@lru_cache(maxsize=64)
def _explanation_layout(
    model: Model, quantity: Quantity, samples: int, quality: QualityLevel, include: Include
) -> _ExplanationLayout:
    return _ExplanationLayout(model, quantity, samples, quality, include)


def timings(
    response: type[pb.PredictResponse] | type[pb.ExplainResponse], seconds: Sequence[tuple[float, float]]
) -> list[bytes]:
    """Return the timing fields of responses.

    Args:
        response: kind of the responses.
        seconds: of each, in the queue and on the device.
    """
    if all(each == seconds[0] for each in seconds):  # computed as one batch
        return [_timing(response, *seconds[0])] * len(seconds)
    return [_timing(response, *each) for each in seconds]


def _timing(response: type[Message], queue: float, compute: float) -> bytes:
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


def _strongest(strength: Float32s) -> Ints:
    """Return flat indices of the strongest cells of each map, (n, at most `DRIVERS`); of equal ones the first.

    Args:
        strength: absolute values of maps, (n, cell).
    """
    strength = strength.copy()
    indices = np.empty((len(strength), min(DRIVERS, strength.shape[1])), np.int64)
    row = np.arange(len(strength))
    for place in range(indices.shape[1]):
        indices[:, place] = strength.argmax(axis=1)
        strength[row, indices[:, place]] = -1
    return indices
