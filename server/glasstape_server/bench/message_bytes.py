"""`glasstape bench bytes`: bytes of an event, a prediction and an explanation on the wire."""

from collections.abc import Callable, Iterator
from statistics import fmean

import grpc
import numpy as np
from glasstape.v1 import inference_pb2, inference_pb2_grpc, signals_pb2, signals_pb2_grpc

from glasstape_server.bench.report import BenchmarkReport, Measurement
from glasstape_server.bench.serving import server
from glasstape_server.transport.grpcio_server import EXPLAIN, PREDICT

OPTIONS = (("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20))
WINDOWS = 4096
"""Windows of one call."""
KINDS = ("confidence", "buy", "outcome")


def run(events: int) -> BenchmarkReport:
    """Replay the bundled market and measure its first events; predict and explain random windows."""
    flags = ("--replay", "sample", "--replay-step", "0.01")
    with server(*flags) as running, grpc.insecure_channel(running.address, OPTIONS) as channel:
        measurements = [*_feed(channel, events), *_answers(channel)]
    setup = (
        f"{events:,} events of the bundled market, EVERY_EVENT, GRADIENT maps; {WINDOWS:,} windows of one call. "
        f"Means; a message's model table is counted with its elements."
    )
    return BenchmarkReport("Bytes on the wire", setup, measurements)


def _feed(channel: grpc.Channel, events: int) -> Iterator[Measurement]:
    sizes: dict[str, list[int]] = {kind: [] for kind in KINDS}
    batches: list[float] = []
    maps: list[float] = []
    request = signals_pb2.SignalsRequest(
        start=signals_pb2.SignalsRequest.START_EARLIEST,
        delivery=signals_pb2.SignalsRequest.DELIVERY_EVERY_EVENT,
        heatmap_method=inference_pb2.Explanation.METHOD_GRADIENT,
    )
    call = signals_pb2_grpc.SignalServiceStub(channel).Signals(request)
    for response in call:
        match response.WhichOneof("body"):
            case "batch":
                for event in response.batch.events:
                    sizes[event.WhichOneof("kind") or ""].append(event.ByteSize())
                batches.append(response.batch.ByteSize() / max(len(response.batch.events), 1))
            case "heatmaps":
                maps += [heatmap.explanation.ByteSize() for heatmap in response.heatmaps.heatmaps]
        if sum(map(len, sizes.values())) >= events and maps:
            break
    call.cancel()
    yield Measurement("event, mean", "bytes", [fmean(size for kind in sizes.values() for size in kind)])
    for kind, kind_sizes in sizes.items():
        if kind_sizes:
            yield Measurement(f"event: {kind}", "bytes", [fmean(kind_sizes)])
    yield Measurement("batch, per event", "bytes", [fmean(batches)])
    yield Measurement("explanation in the feed", "bytes", [fmean(maps)])


def _answers(channel: grpc.Channel) -> Iterator[Measurement]:
    stub = inference_pb2_grpc.InferenceServiceStub(channel)
    model = stub.GetModel(inference_pb2.GetModelRequest()).model
    shape = (WINDOWS, model.time_steps, len(model.features))
    data = np.random.default_rng(0).normal(size=shape).astype("<f4").tobytes()
    source = inference_pb2.PredictionInput(windows=inference_pb2.Windows(count=WINDOWS, data=data))
    predict: Callable[..., bytes] = channel.unary_unary(
        PREDICT, inference_pb2.PredictRequest.SerializeToString
    )
    explain: Callable[..., bytes] = channel.unary_unary(
        EXPLAIN, inference_pb2.ExplainRequest.SerializeToString
    )
    predicted = predict(inference_pb2.PredictRequest(input=source))
    yield Measurement("prediction of a window", "bytes", [len(predicted) / WINDOWS])
    include = [inference_pb2.ExplainRequest.INCLUDE_NONE]
    for name, options in (("", {}), (", map and score alone", {"include": include, "quality": 1})):
        explained = explain(inference_pb2.ExplainRequest(input=source, **options))  # type: ignore[arg-type]
        yield Measurement(f"explanation of a window{name}", "bytes", [len(explained) / WINDOWS])
