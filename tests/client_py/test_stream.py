"""A stream resumes by itself, on both clients, against a scripted server."""

import asyncio
import threading
from dataclasses import replace

import pytest
from glasstape import (
    AsyncClient,
    AuthenticationError,
    Client,
    Disconnected,
    EventBatch,
    GapReason,
    Goodbye,
    InvalidRequestError,
    Opened,
    OpenResult,
    PreconditionError,
    QuoteBatch,
    SequenceGap,
)
from glasstape.testing import FakeServer, make_buy, make_confidence, make_confidence_event, make_signal


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
    assert disconnected[0].error.code == "UNAVAILABLE"


def test_a_stream_reconnects_when_the_scopes_of_its_token_changed(fake, follow):
    fake.emit(make_buy("A"))

    def between(events):
        if len(events) == 1:
            fake.fail("Signals", AuthenticationError("the scopes were changed", reason="TOKEN_CHANGED"))
            fake.break_streams()
            threading.Timer(0.5, accept_again).start()

    def accept_again():
        fake.fail("Signals", None)
        fake.emit(make_buy("B"))

    events, notices, _ = follow(2, between, start="earliest")
    assert sequences(events) == [1, 2]
    assert "UNAUTHENTICATED" in [n.error.code for n in notices if isinstance(n, Disconnected)]


def test_a_stream_ends_when_its_token_is_not_accepted(fake, follow):
    fake.fail("Signals", AuthenticationError("unknown", reason="TOKEN_UNKNOWN"))
    with pytest.raises(AuthenticationError, match="unknown"):
        follow(1)


def test_a_token_from_before_the_journal_becomes_a_gap_and_all_that_is_left(fake, follow):
    for symbol in "ABCDE":
        fake.emit(make_buy(symbol))
    fake.forget_before(4)
    events, notices, _ = follow(2, resume_token=b"1:1", start="live")
    (gap,) = [n for n in notices if isinstance(n, SequenceGap)]
    assert (gap.first_sequence, gap.last_sequence, gap.reason) == (2, 3, GapReason.NOT_RETAINED)
    assert sequences(events) == [4, 5]


def test_a_new_epoch_is_reported_and_begins_with_a_snapshot(fake, follow):
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


def test_a_draining_server_says_goodbye_and_the_stream_resumes_there(tmp_path, spawn):
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


def test_a_silent_connection_is_considered_dead(fake, follow):
    fake.emit(make_buy("A"))

    def between(events):
        if len(events) == 1:
            fake.freeze()
            threading.Timer(0.6, fake.thaw).start()
            fake.emit(make_buy("B"))

    events, notices, _ = follow(
        2, between, start="earliest", heartbeat_interval=0.1, silence_timeout=0.3, kinds=["buy"]
    )
    assert sequences(events) == [1, 2]
    disconnected = [notice for notice in notices if isinstance(notice, Disconnected)]
    assert {notice.error.reason for notice in disconnected} == {"STREAM_SILENT"}
    assert {notice.error.code for notice in disconnected} == {"UNAVAILABLE"}


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_silence_timeout_that_never_passes_is_refused(timeout):
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidRequestError):
        client.signals(silence_timeout=timeout)


def test_another_task_may_close_an_asyncio_stream(fake):
    async def main():
        async with AsyncClient(fake.address) as client:
            stream = client.signals(heartbeat_interval=5.0)
            opened = asyncio.Event()

            async def read():
                async for _ in stream.messages():
                    opened.set()
                return "ended"

            reading = asyncio.create_task(read())
            await opened.wait()
            stream.close()
            return await asyncio.wait_for(reading, 5)

    assert asyncio.run(main()) == "ended"


def test_a_task_that_reads_a_stream_can_be_canceled(fake):
    async def main():
        async with AsyncClient(fake.address) as client:
            reading = asyncio.create_task(anext(aiter(client.signals())))
            await asyncio.sleep(0.1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    asyncio.run(main())


def test_quotes_are_sent_to_who_asks(fake):
    bar = replace(make_signal("A").bar, provisional=True)
    with Client(fake.address) as client:
        quoted, plain = (
            client.signals(quotes=True).messages(),
            client.signals(heartbeat_interval=0.1).messages(),
        )
        assert isinstance(next(quoted), Opened)
        assert isinstance(next(plain), Opened)
        assert [next(quoted), next(plain)] == [EventBatch(events=(), conflated_count=0, snapshot=True)] * 2
        fake.send_quotes(bar)
        assert next(message for message in quoted if isinstance(message, QuoteBatch)).bars == (bar,)
        assert not isinstance(next(plain), QuoteBatch)


def test_the_events_of_two_models_keep_theirs(fake, follow):
    buy = make_buy("A")
    other = replace(buy, model=replace(buy.model, version="2"))
    for event in (buy, other, buy):
        fake.emit(event)
    events, _, _ = follow(3, start="earliest")
    assert [event.model.version for event in events] == ["1", "2", "1"]


def test_another_contract_ends_a_stream(fake, follow):
    for version in ("0.9", "2.0"):
        fake.contract_version = version
        with pytest.raises(PreconditionError, match=f"the server has contract {version}"):
            follow(1)
    fake.contract_version = "1.7"
    fake.emit(make_buy("A"))
    assert sequences(follow(1, start="earliest")[0]) == [1]
