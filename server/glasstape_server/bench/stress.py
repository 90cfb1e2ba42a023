"""`glasstape bench stress`: many concurrent mixed calls, every answer compared with the one computed alone."""

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
"""Largest difference of a right answer: another batch may round otherwise."""
KINDS = 96
"""Different calls, drawn once."""


@dataclass(frozen=True)
class Task:
    """A call with the answer that it must get."""

    request: pb.PredictRequest | pb.ExplainRequest
    expected: Float32s


@dataclass
class Tally:
    """What came of all calls."""

    answered: int = 0
    wrong: int = 0
    failed: int = 0
    worst: float = 0.0
    first_errors: list[str] = field(default_factory=list)


def run(requests: int, in_flight: int, seed: int = 0) -> tuple[str, bool]:
    """Call; returns a report, and whether every answer was right."""
    model = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    torch.set_num_threads(1)
    tasks = _tasks(model, np.random.default_rng(seed))
    with server() as running:
        begun = time.perf_counter()
        tally = asyncio.run(_call(running.address, tasks, requests, in_flight, seed))
        seconds = time.perf_counter() - begun
    report = (
        f"{tally.answered} mixed calls ({KINDS} kinds, 1-8 windows each), {in_flight} in flight, "
        f"{seconds:.0f} s: {tally.wrong} wrong, {tally.failed} failed; largest difference {tally.worst:.1e} "
        f"(allowed {TOLERANCE:g})"
    )
    return "\n".join([report, *tally.first_errors]), tally.wrong == 0 and tally.failed == 0


def _tasks(model: Model, random: np.random.Generator) -> list[Task]:
    methods = [name for name in catalog.METHODS if name in catalog.served(model)]
    made = []
    for kind in range(KINDS):
        windows = random.normal(size=(int(random.integers(1, 9)), *model.window_shape)).astype("<f4")
        source = pb.Input(windows=pb.Windows(count=len(windows), data=windows.tobytes()))
        if kind % (len(methods) + 1) == len(methods):
            with torch.no_grad():
                logits = model.scorer(torch.from_numpy(windows)).numpy()
            expected = forecasts(model, windows, logits).probabilities
            made.append(Task(pb.PredictRequest(input=source), expected.astype(np.float32)))
            continue
        method = methods[kind % (len(methods) + 1)]
        score = Score(int(random.integers(1, 5)))
        request = Request(method, ScoreSpec(score), seed=kind)
        rows = catalog.rows_of(model, torch.from_numpy(windows), None, request)
        values = catalog.explain(model, rows, request).values.numpy()
        asked = pb.ExplainRequest(
            input=source,
            method=pb.Method.ValueType(int(method)),
            score=pb.Score.ValueType(int(score)),
            seed=kind,
        )
        made.append(Task(asked, values))
    return made


async def _call(address: str, tasks: list[Task], requests: int, in_flight: int, seed: int) -> Tally:
    tally = Tally()
    order = iter(np.random.default_rng(seed).integers(0, len(tasks), requests).tolist())
    async with grpc.aio.insecure_channel(address) as channel:
        stub: pb_grpc.InferenceServiceAsyncStub = pb_grpc.InferenceServiceStub(channel)

        async def work() -> None:
            for number in order:
                await _one(stub, tasks[number], tally)

        await asyncio.gather(*(work() for _ in range(in_flight)))
    return tally


async def _one(stub: "pb_grpc.InferenceServiceAsyncStub", task: Task, tally: Tally) -> None:
    try:
        if isinstance(task.request, pb.PredictRequest):
            predicted = await stub.Predict(task.request)
            got = np.array(
                [(p.confidence.down, p.confidence.flat, p.confidence.up) for p in predicted.predictions]
            )
        else:
            explained = await stub.Explain(task.request)
            maps = [np.frombuffer(one.heatmap.values, "<f4") for one in explained.explanations]
            got = np.stack(maps).reshape(task.expected.shape)
    except (grpc.RpcError, ValueError) as error:
        tally.failed += 1
        if len(tally.first_errors) < 5:
            tally.first_errors.append(str(error)[:200])
        return
    difference = float(np.abs(got - task.expected).max())
    tally.answered += 1
    tally.worst = max(tally.worst, difference)
    tally.wrong += not difference <= TOLERANCE
