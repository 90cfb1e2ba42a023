"""Sessions: recorded from a server, read as values, played to any client."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest
from glasstape import (
    Client,
    ConfidenceEvent,
    DataLossError,
    DataState,
    GlasstapeError,
    Heartbeat,
    InvalidRequestError,
    Opened,
    OpenResult,
    PreconditionError,
    UnavailableError,
    UnimplementedError,
)
from glasstape._session.frames import FrameWriter, Kind
from glasstape.cli import main
from glasstape.session import Recorder, SessionServer, read_session, write_session
from glasstape.testing import MODEL, FakeServer, make_buy, make_confidence_event
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb


def numbered(*events):
    return [replace(event, sequence=number) for number, event in enumerate(events, start=1)]


@pytest.fixture
def path(tmp_path):
    """A session of three batches, 0.2 s apart."""
    events = numbered(make_confidence_event("A"), make_buy("A"), make_confidence_event("B"))
    write_session(tmp_path / "x.session.gz", [(0.2 * n, [event]) for n, event in enumerate(events)], [MODEL])
    return tmp_path / "x.session.gz"


@pytest.fixture
def recorded(tmp_path):
    """What a recorder wrote of a fake server."""
    target = tmp_path / "recorded.session"
    with FakeServer() as server:
        server.emit(make_confidence_event("OLD"))
        with Recorder(server.address, target, methods=["gradient"]) as recorder:
            wait_for(recorder, events=1, maps=1)
            server.emit(make_confidence_event("A"))
            wait_for(recorder, events=2, maps=2)
            server.emit(make_buy("A"))
            wait_for(recorder, events=3, maps=2)
        assert recorder.error is None
        assert recorder.missing == 0
    return target


def wait_for(recorder, events, maps):
    end = time.monotonic() + 10
    while (recorder.events < events or recorder.maps < maps) and time.monotonic() < end:
        time.sleep(0.01)


def test_a_recording_holds_models_past_events_the_feed_and_its_maps(recorded):
    session = read_session(recorded)
    assert [model.ref for model in session.models] == [MODEL.ref]
    assert [event.symbol for event in session.events] == ["OLD"]
    told = [event for _, message in session.messages for event in getattr(message, "events", ())]
    assert [(event.symbol, event.snapshot) for event in told] == [("OLD", True), ("A", False), ("A", False)]
    assert told[1].signal.data_state is DataState.LIVE
    maps = session.explanations[told[1].sequence]
    assert [item.method.value for item in maps] == ["gradient"]
    assert maps[0].heatmap.values.shape == (6, 8)


def test_what_is_played_is_never_live(recorded):
    with SessionServer(recorded, speed=100) as server, Client(server.address) as client:
        events = []
        for event in client.signals():
            events.append(event)
            if len(events) == 3:
                break
        assert {event.signal.data_state for event in events} == {DataState.REPLAY}
        assert client.explain(signals=[events[1].sequence])[0].heatmap.values.shape == (6, 8)
        with pytest.raises(PreconditionError, match=r"METHOD_OCCLUSION .* was not recorded"):
            client.explain(signals=[events[1].sequence], method="occlusion")
        assert client.model().ref == MODEL.ref
        assert [event.symbol for event in client.history(symbols=["OLD"])] == ["OLD"]
        with pytest.raises(UnimplementedError, match="does not predict"):
            client.predict(symbols=["A"])


def test_a_stream_resumes_behind_its_token_and_gets_nothing_twice(recorded):
    with SessionServer(recorded, speed=100) as server, Client(server.address) as client:
        stream = client.signals()
        taken = []
        for message in stream.messages():
            taken += [event.sequence for event in getattr(message, "events", ())]
            if 3 in taken:
                break  # before it is counted as handled
        assert taken == [1, 2, 3]
        again = client.signals(resume_token=stream.resume_token).messages()
        first, second = next(again), next(again)
        assert isinstance(first, Opened)
        assert first.result is OpenResult.RESUMED
        assert [event.sequence for event in second.events] == [3]


def test_time_passes_as_fast_as_asked_and_can_be_changed(path):
    with SessionServer(path, speed=0.01) as server, Client(server.address) as client:
        stream = iter(client.signals())
        assert next(stream).symbol == "A"
        assert server.elapsed < 0.1
        server.speed = 100
        begin = time.monotonic()
        assert [next(stream).sequence for _ in range(2)] == [2, 3]
        assert time.monotonic() - begin < 5  # at the old speed it would take 40 s
        assert server.seconds == pytest.approx(0.4)


def test_a_loop_goes_on_with_later_sequences(path):
    with SessionServer(path, speed=100, loop=True) as server, Client(server.address) as client:
        sequences = []
        for event in client.signals(kinds=["confidence"]):
            sequences.append(event.sequence)
            if len(sequences) == 6:
                break
    assert sequences == [1, 3, 4, 6, 7, 9]


def test_filters_hold_for_a_played_session(path):
    with SessionServer(path, speed=100) as server, Client(server.address) as client:
        first = next(iter(client.signals(symbols=["B"])))
        assert (first.symbol, isinstance(first, ConfidenceEvent)) == ("B", True)


def test_a_recording_that_was_cut_short_is_read_to_its_last_whole_message(recorded, tmp_path):
    data = recorded.read_bytes()
    whole = len(read_session(recorded).messages)
    cut = tmp_path / "cut.session"
    cut.write_bytes(data[:-5])
    assert len(read_session(cut).messages) in (whole - 1, whole)
    assert read_session(cut).models


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_damaged_recording_is_refused(recorded, tmp_path, place):
    data = bytearray(recorded.read_bytes())
    data[int(len(data) * place)] ^= 0x40
    broken = tmp_path / "broken.session"
    broken.write_bytes(data)
    with pytest.raises(DataLossError, match="damaged"):
        read_session(broken)


def test_other_files_wrong_speeds_and_empty_sessions_are_refused(tmp_path, path):
    other = tmp_path / "other.session"
    other.write_text("date,open\n")
    with pytest.raises(InvalidRequestError, match=r"session: must be a file recorded by Glasstape"):
        SessionServer(other)
    with pytest.raises(InvalidRequestError, match=r"speed: must be 0.01-100, is 0"):
        SessionServer(path, speed=0)
    with pytest.raises(FileNotFoundError):
        read_session(tmp_path / "none")
    write_session(tmp_path / "empty.session", [])
    with pytest.raises(InvalidRequestError, match="must hold messages of a feed"):
        SessionServer(tmp_path / "empty.session")


def test_a_recorder_needs_a_server_and_a_file_it_may_write(tmp_path):
    with pytest.raises(UnavailableError):
        Recorder("127.0.0.1:1", tmp_path / "x.session")
    with FakeServer() as server, pytest.raises(OSError):
        Recorder(server.address, tmp_path / "no" / "folder" / "x.session")


def test_a_failed_recording_leaves_the_old_one(path):
    before = path.read_bytes()
    with pytest.raises(UnavailableError):
        Recorder("127.0.0.1:1", path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_compressed_recording_that_was_cut_short_is_read_too(path, tmp_path):
    cut = tmp_path / "cut.gz"
    cut.write_bytes(path.read_bytes()[:-12])
    assert len(read_session(cut).messages) in (2, 3)


def test_a_session_names_what_it_does_not_take(path):
    with SessionServer(path) as server, grpc.insecure_channel(server.address) as channel:
        explain = inference_pb2_grpc.InferenceServiceStub(channel).Explain
        source = ipb.PredictionInput(signals=ipb.SignalRefs(sequences=[1]))
        for field in ("method", "score"):
            with pytest.raises(grpc.RpcError, match=f"{field}: must be a value of the enum, is 99") as caught:
                explain(ipb.ExplainRequest(input=source, **{field: 99}))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        request = mpb.ListBarsRequest(symbol="AAPL", interval="1d")
        request.end_time.seconds = 2**63 - 1
        with pytest.raises(grpc.RpcError) as caught:
            market_pb2_grpc.MarketServiceStub(channel).ListBars(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_session_refuses_what_would_change_it(path):
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    with SessionServer(path) as server, Client(server.address) as client:
        for call in (
            lambda: client.publish_bars([]),
            lambda: client.remove_bars("AAPL", "1d", start=moment, end=moment),
            lambda: client.rename_symbol("AAPL", "B"),
            client.corrections,
            client.stored_series,
            lambda: client.predict(symbols=["AAPL"]),
        ):
            with pytest.raises(UnimplementedError, match="a recording"):
                call()


def test_at_its_end_a_session_stays_at_its_last_moment(path):
    with SessionServer(path, speed=100) as server, Client(server.address) as client:
        for message in client.signals().messages():
            if isinstance(message, Heartbeat):
                break
        assert server.ended
        assert message.market_time == make_confidence_event("A").bar_close_time


def test_what_the_contract_does_not_allow_ends_a_stream_with_an_error(tmp_path):
    odd = spb.Event(sequence=1, symbol="A", confidence=spb.Signal())  # without a direction
    models = [ipb.ModelRef(name="m")]
    with FrameWriter(tmp_path / "odd.session", packed=False) as writer:
        batch = spb.EventBatch(events=[odd], models=models)
        writer.write(0.0, Kind.RESPONSE, spb.SignalsResponse(batch=batch))
    with (
        SessionServer(tmp_path / "odd.session") as server,
        Client(server.address) as client,
        pytest.raises(DataLossError, match="does not allow"),
    ):
        next(iter(client.signals()))
    with pytest.raises(DataLossError):
        read_session(tmp_path / "odd.session")


@pytest.mark.parametrize(
    "address", ["example.com:1", "localhost.evil.com:443", "127.evil.com:443", "10.0.0.1:1", "x:1"]
)
def test_only_this_machine_is_this_machine(address):
    with pytest.raises(InvalidRequestError, match="token: requires tls beyond loopback"):
        Client(address, token="secret")


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "127.8.8.8:1", "[::1]:1"])
def test_this_machine_may_be_told_a_token(address):
    Client(address, token="secret").close()


def test_a_token_travels_with_every_call_and_never_readable_beyond_this_machine(tmp_path):
    with FakeServer(token="secret") as server:
        server.emit(make_buy("A"))
        with Client(server.address, token="secret") as client:
            assert client.model().ref == MODEL.ref
            assert next(iter(client.signals(start="earliest"))).symbol == "A"
        with Client(server.address) as client, pytest.raises(GlasstapeError, match="bearer token") as refused:
            client.model()
        assert refused.value.code == "UNAUTHENTICATED"
        with Recorder(server.address, tmp_path / "x.session", token="secret"):
            pass
    with pytest.raises(InvalidRequestError, match="token: must be printable ASCII"):
        Client("localhost:50551", token="geheim nis")


def test_the_command_records_what_the_desktop_plays(tmp_path, capsys):
    target = tmp_path / "x.session.gz"
    with FakeServer() as server:
        server.emit(make_confidence_event("A"))
        assert main(["record", "--server", server.address, "--for", "1s", str(target)]) == 0
    assert "events" in capsys.readouterr().err
    told = [event for _, message in read_session(target).messages for event in getattr(message, "events", ())]
    assert [event.symbol for event in told] == ["A"]
    assert main(["record", "--server", "127.0.0.1:1", "--for", "1s", str(target.with_name("y.gz"))]) == 1
    assert "127.0.0.1:1 is unavailable" in capsys.readouterr().err
    assert not target.with_name("y.gz").exists()
