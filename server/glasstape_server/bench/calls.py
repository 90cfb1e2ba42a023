"""`glasstape bench predict` and `bench explain`: throughput and latency of calls on both wires.

The reference is a bare grpc.aio server that echoes its requests: the upper bound for any gRPC server in Python. All
servers run at once, and rounds alternate between them.
"""

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.bench.load import Load, LoadResult, call
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.bench.serving import process, server
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.transport.grpcio_server import EXPLAIN, PREDICT

CASES: dict[str, tuple[int, int, int]] = {
    "1 window, 64 in flight": (1, 4, 16),
    "1 window, 1 in flight": (1, 1, 1),
    "256 windows, 64 in flight": (256, 4, 16),
    "256 windows, 1 in flight": (256, 1, 1),
}
"""Name -> windows per call, connections, calls in flight per connection."""


def run(explain: bool, rounds: int, seconds: float, *, quick: bool = False) -> BenchmarkReport:
    """Measure all cases.

    Args:
        explain: measure Explain instead of Predict.
        rounds: of each case.
        seconds: of each measurement.
        quick: run the first case once, without warm-up, to see whether it works.

    Raises:
        ValueError: h2load is not installed, or a call failed.
    """
    with servers() as addresses:
        results: dict[tuple[str, str], list[LoadResult]] = {}
        for lap in range(1 if quick else 0, rounds + 1):
            for case, (windows, connections, in_flight) in list(CASES.items())[: 1 if quick else None]:
                load = Load(connections, in_flight, max(1, seconds))
                for name, address in addresses.items():
                    path, message = request_of(explain=explain, count=windows)
                    result = call(address, path, message, load)
                    if lap:  # lap 0 is the warm-up
                        results.setdefault((case, name), []).append(result)
    return _report(explain, rounds, seconds, results, list(addresses))


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Run a bare echo server and a server on each wire; yield their addresses by name."""
    with contextlib.ExitStack() as stack:
        addresses = {"echo": stack.enter_context(process("glasstape_server.bench.echo")).address}
        addresses["grpcio"] = stack.enter_context(server("--wire", "grpcio")).address
        if importlib.util.find_spec("pygrpc_native") is not None:
            addresses["native"] = stack.enter_context(server("--wire", "native")).address
        yield addresses


def request_of(*, explain: bool, count: int) -> tuple[str, bytes]:
    """Return the path and the encoded request of a call with `count` windows."""
    data = np.random.default_rng(0).normal(size=(count, *FeatureSpec().window_shape)).astype("<f4").tobytes()
    source = pb.PredictionInput(windows=pb.Windows(count=count, data=data))
    if explain:
        return EXPLAIN, pb.ExplainRequest(input=source).SerializeToString()
    return PREDICT, pb.PredictRequest(input=source).SerializeToString()


def _report(
    explain: bool,
    rounds: int,
    seconds: float,
    results: dict[tuple[str, str], list[LoadResult]],
    names: Sequence[str],
) -> BenchmarkReport:
    measurements = []
    for case in dict.fromkeys(case for case, _ in results):
        latency = CASES[case][2] == 1
        by_name = {
            name: [1e3 * each.p50 if latency else each.per_second for each in results[case, name]]
            for name in names
        }
        for name, values in by_name.items():
            to_echo = {} if name == "echo" else {"echo": ratios(values, by_name["echo"])}
            label = f"{case}, {'p50' if latency else 'calls'}: {name}"
            measurements.append(Measurement(label, "ms" if latency else "/s", values, to_echo))
    setup = f"{rounds} alternating rounds of {seconds:g} s, servers and h2load on one machine, plaintext."
    return BenchmarkReport("Explain (GRADIENT)" if explain else "Predict", setup, measurements)
