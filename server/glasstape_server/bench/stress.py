"""`glasstape bench stress`: many concurrent mixed calls, each response compared with one computed in isolation."""

import asyncio
import time
from dataclasses import dataclass, field

import grpc
import numpy as np
import torch
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc as pb_grpc

from glasstape_server.bench.serving import server
from glasstape_server.domain.values import Float32s
from glasstape_server.engine.work import forecasts
from glasstape_server.explain import catalog
from glasstape_server.explain.method import Request
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.models import artifact
from glasstape_server.models.model import Model
from glasstape_server.settings import BUNDLED_MODELS

TOLERANCE = 1e-5
"""Largest difference of a correct value: rounding depends on the batch."""
DISTINCT_CALLS = 96
"""Number of distinct calls, drawn once."""


@dataclass(frozen=True)
class ExpectedCall:
    """A request with its expected values."""

    request: pb.PredictRequest | pb.ExplainRequest
    expected: Float32s
    """Probabilities (n, 3) of a Predict call, maps (n, time, feature) of an Explain call."""


@dataclass
class StressResult:
    """Counts of all calls."""

    completed: int = 0
    wrong: int = 0
    failed: int = 0
    max_difference: float = 0.0
    first_errors: list[str] = field(default_factory=list)


def run(requests: int, in_flight: int, seed: int = 0) -> tuple[str, bool]:
    """Make calls; return a report, and whether every response was correct."""
    model = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    torch.set_num_threads(1)
    calls = _calls(model, np.random.default_rng(seed))
    with server() as running:
        started = time.perf_counter()
        result = asyncio.run(_run_calls(running.address, calls, requests, in_flight, seed))
        seconds = time.perf_counter() - started
    report = (
        f"{result.completed} mixed calls ({DISTINCT_CALLS} distinct, 1-8 windows each), {in_flight} in flight, "
        f"{seconds:.0f} s: {result.wrong} wrong, {result.failed} failed; largest difference "
        f"{result.max_difference:.1e} (at most {TOLERANCE:g})"
    )
    return "\n".join([report, *result.first_errors]), result.wrong == 0 and result.failed == 0


def _calls(model: Model, random: np.random.Generator) -> list[ExpectedCall]:
    methods = [name for name in catalog.METHODS if name in catalog.served(model)]
    calls = []
    for number in range(DISTINCT_CALLS):
        windows = random.normal(size=(int(random.integers(1, 9)), *model.window_shape)).astype("<f4")
        source = pb.PredictionInput(windows=pb.Windows(count=len(windows), data=windows.tobytes()))
        if number % (len(methods) + 1) == len(methods):
            with torch.no_grad():
                logits = model.scorer(torch.from_numpy(windows)).numpy()
            expected = forecasts(model, windows, logits).probabilities
            calls.append(ExpectedCall(pb.PredictRequest(input=source), expected.astype(np.float32)))
            continue
        method = methods[number % (len(methods) + 1)]
        score = Score(int(random.integers(1, 5)))
        request = Request(method, ScoreSpec(score), seed=number)
        rows = catalog.rows_of(model, torch.from_numpy(windows), None, request)
        values = catalog.explain(model, rows, request).values.numpy()
        explain = pb.ExplainRequest(
            input=source,
            method=pb.Explanation.Method.ValueType(int(method)),
            score=pb.Explanation.Score.ValueType(int(score)),
            seed=number,
        )
        calls.append(ExpectedCall(explain, values))
    return calls


async def _run_calls(
    address: str, calls: list[ExpectedCall], requests: int, in_flight: int, seed: int
) -> StressResult:
    result = StressResult()
    order = iter(np.random.default_rng(seed).integers(0, len(calls), requests).tolist())
    async with grpc.aio.insecure_channel(address) as channel:
        stub: pb_grpc.InferenceServiceAsyncStub = pb_grpc.InferenceServiceStub(channel)

        async def worker() -> None:
            for number in order:
                await _run_call(stub, calls[number], result)

        await asyncio.gather(*(worker() for _ in range(in_flight)))
    return result


async def _run_call(
    stub: "pb_grpc.InferenceServiceAsyncStub", call: ExpectedCall, result: StressResult
) -> None:
    try:
        if isinstance(call.request, pb.PredictRequest):
            predicted = await stub.Predict(call.request)
            values = np.array(
                [(p.confidence.down, p.confidence.flat, p.confidence.up) for p in predicted.predictions]
            )
        else:
            explained = await stub.Explain(call.request)
            maps = [np.array(each.explanation.heatmap.values, np.float32) for each in explained.results]
            values = np.stack(maps).reshape(call.expected.shape)
    except (grpc.RpcError, ValueError) as error:
        result.failed += 1
        if len(result.first_errors) < 5:
            result.first_errors.append(str(error)[:200])
        return
    difference = float(np.abs(values - call.expected).max())
    result.completed += 1
    result.max_difference = max(result.max_difference, difference)
    result.wrong += not difference <= TOLERANCE
