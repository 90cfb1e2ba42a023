"""`glasstape bench predict` and `bench explain`: calls per second and their latency, on both wires.

Beside a bare grpc.aio server that gives back what it gets: whatever Python's own gRPC costs, nothing in Python
can be faster on it. All servers run at once, and the load goes round them in turns.
"""

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.bench.load import Answered, Load, call
from glasstape_server.bench.report import Figure, Report, ratios
from glasstape_server.bench.serving import process, server
from glasstape_server.transport.grpcio_server import EXPLAIN, PREDICT

CASES: dict[str, tuple[int, int, int]] = {
    "1 window, 64 in flight": (1, 4, 16),
    "1 window, 1 in flight": (1, 1, 1),
    "256 windows, 64 in flight": (256, 4, 16),
    "256 windows, 1 in flight": (256, 1, 1),
}
"""Windows of a call, connections, calls in flight on each."""


def run(explain: bool, rounds: int, seconds: float, *, quick: bool = False) -> Report:
    """Measure; quickly: the first case, once and cold.

    Raises:
        ValueError: h2load is not there, or calls failed.
    """
    with servers() as running:
        measured: dict[tuple[str, str], list[Answered]] = {}
        for lap in range(1 if quick else 0, rounds + 1):
            for case, (windows, connections, in_flight) in list(CASES.items())[: 1 if quick else None]:
                load = Load(connections, in_flight, max(1, seconds))
                for name, address in running.items():
                    path, message = request_of(explain=explain, count=windows)
                    answered = call(address, path, message, load)
                    if lap:  # the first lap warms
                        measured.setdefault((case, name), []).append(answered)
    return _report(explain, rounds, seconds, measured, list(running))


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Addresses of a bare echo and of ours on each wire, by name."""
    with contextlib.ExitStack() as stack:
        found = {"echo": stack.enter_context(process("glasstape_server.bench.echo")).address}
        found["grpcio"] = stack.enter_context(server("--wire", "grpcio")).address
        if importlib.util.find_spec("pygrpc_native") is not None:
            found["native"] = stack.enter_context(server("--wire", "native")).address
        yield found


def request_of(*, explain: bool, count: int) -> tuple[str, bytes]:
    """Path and message of a call with so many windows."""
    data = np.random.default_rng(0).normal(size=(count, 6, 8)).astype("<f4").tobytes()
    source = pb.PredictionInput(windows=pb.Windows(count=count, data=data))
    if explain:
        return EXPLAIN, pb.ExplainRequest(input=source).SerializeToString()
    return PREDICT, pb.PredictRequest(input=source).SerializeToString()


def _report(
    explain: bool,
    rounds: int,
    seconds: float,
    measured: dict[tuple[str, str], list[Answered]],
    names: Sequence[str],
) -> Report:
    figures = []
    for case in dict.fromkeys(case for case, _ in measured):
        alone = CASES[case][2] == 1
        by_name = {
            name: [1e3 * found.p50 if alone else found.per_second for found in measured[case, name]]
            for name in names
        }
        for name, values in by_name.items():
            of_echo = {} if name == "echo" else {"echo": ratios(values, by_name["echo"])}
            what = "p50" if alone else "calls"
            figures.append(Figure(f"{case}, {what}: {name}", "ms" if alone else "/s", values, of_echo))
    how = f"{rounds} rounds of {seconds:g} s in turns, servers and h2load on one machine, plaintext."
    return Report("Explain (GRADIENT)" if explain else "Predict", how, figures)
