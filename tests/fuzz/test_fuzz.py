"""Whatever bytes come, the answer is a rule that was broken: never a bug of ours.

Each target starts from real inputs, which hypothesis breaks: bytes are cut, flipped, repeated and joined.
What was ever found stands beside it as an example. `campaign.py` goes on for as long as one likes.
"""

import contextlib
import importlib.util
import itertools
import json
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import grpc
import numpy as np
import pytest
from effort import effort
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2
from glasstape_server import settings
from glasstape_server.access.gate import Gate
from glasstape_server.access.tokens import TokenFile
from glasstape_server.errors import InvalidArgument, Unauthenticated
from glasstape_server.feed import token as tokens
from glasstape_server.market import parquet
from glasstape_server.market.files import FileError, FileFormat, read_bars
from glasstape_server.models import artefact
from glasstape_server.models.artefact import ArtefactError
from glasstape_server.rpc.oip import open_inference_pb2
from glasstape_server.settings import BUNDLED_MODELS
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from markets import market_on

LONG = int(os.environ.get("GLASSTAPE_FUZZ", 100_000))
"""Examples of a target in the long form: about two minutes of most."""
TRIES = examples(
    max_examples=effort(60, LONG),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
ALLOWED = {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE"}
"""Rules that a request may break. Never UNKNOWN or INTERNAL."""


def broken(*whole: bytes) -> st.SearchStrategy[bytes]:
    """Real inputs, damaged."""

    def damage(data: bytes, cuts, flips, extra: bytes) -> bytes:
        out = bytearray(data)
        for place, value in flips:
            if out:
                out[place % len(out)] = value
        first, last = sorted(cut % (len(out) + 1) for cut in cuts)
        return bytes(out[:first] + extra + out[last:])

    place = st.integers(0, 1 << 16)
    return st.builds(
        damage,
        st.sampled_from(whole),
        st.tuples(place, place),
        st.lists(st.tuples(place, st.integers(0, 255)), max_size=4),
        st.binary(max_size=16),
    ) | st.binary(max_size=200)


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
        "Predict": "one",
        "Explain": "one",
        "GetModel": "one",
        "ListModels": "one",
    },
    "glasstape.v1.MarketService": {"ListBars": "one", "ListInstruments": "one", "PublishBars": "both"},
    "glasstape.v1.SignalService": {"ListSignals": "one", "GetTrackRecord": "one", "Signals": "stream"},
    "inference.GRPCInferenceService": {"ModelInfer": "one", "ModelMetadata": "one", "ModelReady": "one"},
}


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

    def examples_of_all(test):
        for wire, method in itertools.product(range(len(connections)), methods):
            test = example(wire, method, b"")(test)
            test = example(wire, method, b"\x0a" * 300)(test)  # groups and lengths that lead nowhere
            test = example(wire, method, b"\xff" * 64)(test)
        return test

    @TRIES
    @given(st.integers(0, len(connections) - 1), st.sampled_from(sorted(methods)), broken(*SEEDS))
    @examples_of_all
    def attack(wire, method, data):
        channel, path = connections[wire].channel, f"/{service}/{method}"
        try:
            if methods[method] == "one":
                channel.unary_unary(path)(data, timeout=10)
            elif methods[method] == "both":
                list(channel.stream_stream(path)(iter([data]), timeout=10))
            else:
                call = channel.unary_stream(path)(data, timeout=10)
                next(call)
                call.cancel()
        except grpc.RpcError as error:
            code, said = error.code().name, error.details() or ""
        else:
            return
        assert code in ALLOWED, (code, said)

    attack()


@TRIES
@given(broken(tokens.encode(tokens.Token(b"e" * 8, 7, b"c" * 8), b"s" * 32), b""))
def test_every_resume_token_is_whole_or_refused(data):
    try:
        found = tokens.decode(data, b"e" * 8, b"s" * 32)
    except InvalidArgument:
        return
    # A token of another epoch says no more than that: the stream is reset.
    assert found.epoch != b"e" * 8 or tokens.encode(found, b"s" * 32) == data


_CSV = b"symbol,date,open,high,low,close,volume\nAAPL,2020-01-02,1,2,0.5,1.5,100\nAAPL,2020-01-03,1,2,0.5,1.5,100\n"


@pytest.fixture(scope="module")
def as_parquet():
    import io

    import polars as pl

    out = io.BytesIO()
    pl.read_csv(io.BytesIO(_CSV)).write_parquet(out)
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_file_of_bars_is_read_or_refused(tmp_path, as_parquet, suffix):
    path = tmp_path / f"bars{suffix}"
    ended = []
    reader = ReaderProcess()

    @TRIES
    @given(broken(_CSV if suffix == ".csv" else as_parquet))
    @example(_CSV.replace(b"AAPL,2020-01-02", b"AAPL,\x002020-01-02"))
    @example(_CSV.replace(b"2020-01-02,1,2,0.5,1.5,100\nAAPL,2020-01-03,1,2,0.5,1.5,", b"2020-01-"))
    def attack(data):
        path.write_bytes(data)
        if not reader.survives(path):
            ended.append(data)

    with contextlib.closing(reader):
        attack()
    assert suffix == ".parquet" or not ended
    for data in ended:
        path.write_bytes(data)
        with pytest.raises(FileError, match="end the process that reads them"):
            read_bars(path, "1d", FileFormat())


class ReaderProcess:
    """Reads files where it may be ended by them, and is started anew then."""

    def __init__(self):
        self._start()

    def _start(self):
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _read_unchecked)

    def close(self):
        self._pool.shutdown()

    def survives(self, path):
        try:
            self._pool.submit(_read_or_refuse, path).result(60)
        except BrokenProcessPool:
            self.close()
            self._start()
            return False
        return True


def _read_unchecked():
    """Leave out the process that reads a file first: one is enough, and thousands can be tried."""
    parquet.check = lambda _: None


def _read_or_refuse(path):
    with contextlib.suppress(FileError, OSError):
        read_bars(path, "1d", FileFormat())


@pytest.mark.parametrize("file", ["manifest.json", "weights.safetensors"])
def test_every_artefact_is_whole_or_refused(tmp_path, file):
    whole = BUNDLED_MODELS / "sample-conv1d" / "1"
    folder = tmp_path / "sample-conv1d" / "1"
    folder.mkdir(parents=True)
    for each in whole.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())

    @examples(TRIES, max_examples=effort(40, LONG))
    @given(broken((whole / file).read_bytes()))
    def attack(data):
        (folder / file).write_bytes(data)
        try:
            artefact.load(folder)
        except ArtefactError:
            return
        if file == "weights.safetensors":
            assert data == (whole / file).read_bytes()

    attack()


@TRIES
@given(broken(b'port = 50551\nhost = "127.0.0.1"\njournal_keep = 5\nlog_level = "info"\n'))
def test_every_settings_file_is_read_or_refused_in_words(data):
    path = _scratch / "server.toml"
    path.write_bytes(data)
    with contextlib.suppress(ValueError):
        settings.load({}, path)


@pytest.fixture(autouse=True, scope="module")
def _in_a_folder(tmp_path_factory):
    global _scratch
    _scratch = tmp_path_factory.mktemp("settings")


@TRIES
@given(
    st.text(max_size=80)
    | st.builds("Bearer {}".format, st.text(max_size=80))
    | st.builds("Bearer glt_a_{}".format, st.text(max_size=80))
)
def test_every_authorization_is_somebodys_or_refused(header):
    gate = Gate(_tokens())
    with pytest.raises(Unauthenticated):
        gate.admit("/glasstape.v1.InferenceService/Predict", header)


_GRANT = {
    "id": "a",
    "name": "b",
    "scopes": ["signals", "predict"],
    "digest": "0" * 64,
    "certificate": "",
    "created": 1.0,
    "expires": 9e9,
}


def _tokens():
    path = _scratch / "tokens.json"
    if not path.exists():
        path.touch(0o600)
        path.write_text(json.dumps([_GRANT]))
    return TokenFile(path)


@TRIES
@given(broken(json.dumps([_GRANT, {**_GRANT, "id": "c", "digest": "", "certificate": "x"}]).encode()))
def test_every_token_file_is_read_or_refused(data):
    path = _scratch / "others.json"
    path.touch(0o600)
    path.write_bytes(data)
    try:
        read = TokenFile(path)
    except ValueError:
        return
    for grant in read.grants():
        with contextlib.suppress(Unauthenticated):
            read.authenticate(f"glt_{grant.id}_x")
        with contextlib.suppress(Unauthenticated):
            read.check(grant.principal())
        with contextlib.suppress(Unauthenticated):
            read.by_certificate([grant.certificate])
