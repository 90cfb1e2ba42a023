"""A stream resumes by itself, on both clients, against a scripted server."""

import asyncio
import inspect

import pytest
from glasstape import (
    AsyncClient,
    Client,
    Disconnected,
    EventBatch,
    Gap,
    Goodbye,
    InvalidRequestError,
    Opened,
    OpenResult,
)
from glasstape.testing import FakeServer, make_buy, make_confidence, make_confidence_event


@pytest.fixture
def fake():
    with FakeServer() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def follow(request, fake):
    """Collect messages until a number of events came; `between` is called after each batch."""

    def sync(count, between=lambda events: None, **wanted):
        events, notices = [], []
        with Client(fake.address) as client, client.signals(**wanted) as stream:
            for message in stream.messages():
                if isinstance(message, EventBatch):
                    events += message.events
                    between(events)
                else:
                    notices.append(message)
                if len(events) >= count:
                    return events, notices, stream
        raise AssertionError

    async def aio(count, between=lambda events: None, **wanted):
        events, notices = [], []
        async with AsyncClient(fake.address) as client, client.signals(**wanted) as stream:
            async for message in stream.messages():
                if isinstance(message, EventBatch):
                    events += message.events
                    between(events)
                else:
                    notices.append(message)
                if len(events) >= count:
                    return events, notices, stream
        raise AssertionError

    if request.param == "sync":
        return sync
    return lambda *arguments, **wanted: asyncio.run(aio(*arguments, **wanted))


def sequences(events):
    return [event.sequence for event in events]


def test_a_broken_stream_goes_on_without_repetition(fake, follow):
    for symbol in "AB":
        fake.emit(make_buy(symbol))

    def between(events):
        if len(events) in (2, 3):
            fake.break_streams()
            fake.emit(make_buy("C"))

    events, notices, _ = follow(4, between, start="earliest")
    assert sequences(events) == [1, 2, 3, 4]
    assert [n.result for n in notices if isinstance(n, Opened)][:2] == [
        OpenResult.STARTED,
        OpenResult.RESUMED,
    ]
    disconnected = [n for n in notices if isinstance(n, Disconnected)]
    assert disconnected
    assert disconnected[0].error.code == "UNAVAILABLE"


def test_a_token_from_before_the_journal_becomes_a_gap_and_all_that_is_left(fake, follow):
    for symbol in "ABCDE":
        fake.emit(make_buy(symbol))
    fake.forget_before(4)
    events, notices, _ = follow(2, resume_token=b"1:1", start="live")
    (gap,) = [n for n in notices if isinstance(n, Gap)]
    assert (gap.first_sequence, gap.last_sequence) == (2, 3)
    assert sequences(events) == [4, 5]


def test_a_new_epoch_is_told_and_begins_with_a_snapshot(fake, follow):
    fake.emit(make_buy("A"))

    def between(events):
        if len(events) == 1:
            fake.begin_epoch()

    events, notices, _ = follow(2, between, start="earliest")
    resets = [n for n in notices if isinstance(n, Opened) and n.result is OpenResult.RESET]
    assert len(resets) == 1
    assert events[1].snapshot


def test_filters_travel(fake, follow):
    fake.emit(make_confidence_event("A"))
    fake.emit(make_buy("A", make_confidence(0.2, 0.2, 0.6)))
    fake.emit(make_buy("B"))
    fake.emit(make_buy("A"))
    events, _, _ = follow(1, start="earliest", kinds=["buy"], symbols=["A"], min_confidence=0.55)
    assert sequences(events) == [2]


def test_the_token_of_a_stream_continues_it(fake, follow):
    for symbol in "ABC":
        fake.emit(make_buy(symbol))
    with Client(fake.address) as client:
        stream = client.signals(start="earliest")
        messages = stream.messages()
        while not isinstance(next(messages), EventBatch):
            assert stream.resume_token in (b"", b"1:0")
        next(messages)  # taking the next message says that the batch was handled
        token = stream.resume_token
        stream.close()
    assert token == b"1:3"
    fake.emit(make_buy("D"))
    events, _, _ = follow(1, resume_token=token)
    assert sequences(events) == [4]


def test_a_server_that_is_not_there_yet_is_waited_for(fake):
    with Client("127.0.0.1:1") as client:
        messages = client.signals().messages()
        told = [next(messages) for _ in range(3)]
    assert [n.attempt for n in told] == [1, 2, 3]
    assert all(isinstance(n, Disconnected) for n in told)


def test_a_malformed_filter_is_raised_not_retried(market):
    with pytest.raises(InvalidRequestError) as caught:
        next(iter(market.client.signals(symbols=["a b"])))
    assert caught.value.violations[0].field == "symbols[0]"


def test_a_draining_server_says_goodbye_and_the_stream_finds_it_again(tmp_path, spawn):
    server = spawn(tmp_path)
    with Client(server.address) as client, client.signals(start="live") as stream:
        messages = stream.messages()
        assert next(messages).result is OpenResult.STARTED
        server.process.terminate()
        while not isinstance(message := next(messages), Goodbye):
            pass
        assert message.reason.name == "DRAIN"
        assert server.stop() == 0
        server.start()
        while not isinstance(message := next(messages), Opened):
            pass
        assert message.result is OpenResult.RESUMED
    server.stop()


def test_a_silent_connection_is_given_up(fake, monkeypatch):
    import glasstape._resume as resume

    monkeypatch.setattr(resume, "SILENCE_FACTOR", -7.0)  # silence = 1 s - 7 heartbeats of 0.1 s
    with Client(fake.address) as client, client.signals(start="live", heartbeat_interval=0.1) as stream:
        stream._state._request.heartbeat_interval.FromMilliseconds(100)
        messages = stream.messages()
        monkeypatch.setattr(
            "glasstape._fake_servicer.Servicer._due", lambda *a: __import__("time").sleep(1.5)
        )
        told = next(m for m in messages if isinstance(m, Disconnected))
    assert told.error.reason == "STREAM_SILENT"


def test_both_clients_have_the_same_methods_and_arguments():
    def surface(client):
        return {
            name: [(p.name, p.kind, p.default) for p in inspect.signature(member).parameters.values()]
            for name, member in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }

    assert surface(Client) == surface(AsyncClient)
