"""Whatever a request holds, the answer is a rule that was broken: never a bug of ours."""

import contextlib
import importlib.util
import itertools

import grpc
import numpy as np
import pytest
from damage import TRIES, broken, odd
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2
from glasstape_server.rpc.oip import open_inference_pb2
from hypothesis import example, given
from hypothesis import strategies as st
from markets import market_on

ALLOWED = {
    "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "OUT_OF_RANGE",
}  # fmt: skip
"""Rules that a request may break. Never UNKNOWN or INTERNAL."""


_WINDOW = np.linspace(-1, 1, 48, dtype="<f4").tobytes()
_PREDICT = inference_pb2.PredictRequest(input={"windows": {"count": 1, "data": _WINDOW}})
_EXPLAIN = inference_pb2.ExplainRequest(input={"symbols": {"symbols": ["AAPL"]}}, method=4, samples=8)
_SIGNALS = signals_pb2.SignalsRequest(symbols=["AAPL"], min_confidence=0.5, resume_token=b"x" * 40, start=3)
_BARS = market_pb2.PublishBarsRequest(
    bars=[market_pb2.Bar(symbol="AAPL", interval="1d", open=1, high=2, low=0.5, close=1.5, volume=3)]
)
_INFER = open_inference_pb2.ModelInferRequest(model_name="sample-conv1d", raw_input_contents=[_WINDOW])
_INFER.inputs.add(name="windows", datatype="FP32", shape=[1, 6, 8])
_REF = inference_pb2.PredictRequest(input={"signals": {"sequences": [1, 1 << 62]}}, model="sample-conv1d@1")
SEEDS = [m.SerializeToString() for m in (_PREDICT, _EXPLAIN, _SIGNALS, _BARS, _INFER, _REF)]
SERVICES = {
    "glasstape.v1.InferenceService": {
        "Predict": inference_pb2.PredictRequest,
        "Explain": inference_pb2.ExplainRequest,
        "GetModel": inference_pb2.GetModelRequest,
        "ListModels": inference_pb2.ListModelsRequest,
    },
    "glasstape.v1.MarketService": {
        "ListBars": market_pb2.ListBarsRequest,
        "ListCorrections": market_pb2.ListCorrectionsRequest,
        "ListSeries": market_pb2.ListSeriesRequest,
        "RemoveBars": market_pb2.RemoveBarsRequest,
        "RenameSymbol": market_pb2.RenameSymbolRequest,
        "ListInstruments": market_pb2.ListInstrumentsRequest,
        "PublishBars": market_pb2.PublishBarsRequest,
    },
    "glasstape.v1.SignalService": {
        "ListSignals": signals_pb2.ListSignalsRequest,
        "GetTrackRecord": signals_pb2.GetTrackRecordRequest,
        "Signals": signals_pb2.SignalsRequest,
    },
    "inference.GRPCInferenceService": {
        "ModelInfer": open_inference_pb2.ModelInferRequest,
        "ModelMetadata": open_inference_pb2.ModelMetadataRequest,
        "ModelConfig": open_inference_pb2.ModelConfigRequest,
        "ModelStatistics": open_inference_pb2.ModelStatisticsRequest,
        "RepositoryIndex": open_inference_pb2.RepositoryIndexRequest,
        "ModelReady": open_inference_pb2.ModelReadyRequest,
    },
}
"""Every method that takes more than an empty message, and what it takes."""
_FAR = open_inference_pb2.ModelInferRequest(model_name="sample-conv1d", raw_input_contents=[_WINDOW])
_FAR.inputs.add(name="windows", datatype="FP32", shape=[1 << 32, 6, 8])
_TORN = inference_pb2.ExplainRequest(
    input={"windows": {"count": 1, "data": _WINDOW}}, method=5, background={"count": 1, "data": b"abc"}
)
FOUND = {"ModelInfer": [_FAR.SerializeToString()], "Explain": [_TORN.SerializeToString()]}
"""What was answered with INTERNAL once."""


class Connection:
    """A channel that is changed in good time: grpc closes one on which calls were cut short by the thousand."""

    def __init__(self, address):
        self._address = address
        self._calls = 0
        self._open()

    def _open(self):
        self._channel = grpc.insecure_channel(self._address, (("grpc.use_local_subchannel_pool", 1),))

    def close(self):
        self._channel.close()

    @property
    def channel(self):
        self._calls += 1
        if self._calls % 1000 == 0:
            self.close()
            self._open()
        return self._channel


@pytest.fixture(scope="module")
def connections(tmp_path_factory):
    """One to a server of each wire."""
    with contextlib.ExitStack() as end:
        opened = []
        for wire in ("grpcio", *(["native"] if importlib.util.find_spec("pygrpc_native") else [])):
            markets = contextlib.contextmanager(market_on)(wire, tmp_path_factory.mktemp(wire))
            address = end.enter_context(markets).address
            opened.append(end.enter_context(contextlib.closing(Connection(address))))
        yield opened


@pytest.mark.parametrize("service", SERVICES)
def test_every_request_is_answered_or_breaks_a_rule(connections, service):
    methods = SERVICES[service]
    asked = st.one_of(
        st.tuples(st.just(method), broken(*SEEDS) | odd(kind)) for method, kind in methods.items()
    )

    def known(test):
        for wire, method in itertools.product(range(len(connections)), methods):
            # Groups and lengths that lead nowhere among them.
            for data in (b"", b"\x0a" * 300, b"\xff" * 64, *FOUND.get(method, ())):
                test = example(wire, (method, data))(test)
        return test

    @TRIES
    @given(st.integers(0, len(connections) - 1), asked)
    @known
    def attack(wire, call):
        method, data = call
        try:
            _ask(connections[wire].channel, f"/{service}/{method}", data)
        except grpc.RpcError as error:
            code, said = error.code().name, error.details() or ""
        else:
            return
        assert code in ALLOWED, (code, said)

    attack()


def _ask(channel, path, data):
    if path.endswith("/PublishBars"):
        list(channel.stream_stream(path)(iter([data]), timeout=10))
    elif path.endswith("/Signals"):
        call = channel.unary_stream(path)(data, timeout=10)
        next(call)
        call.cancel()
    else:
        channel.unary_unary(path)(data, timeout=10)
