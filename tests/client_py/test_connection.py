"""Who may use a connection: after its end, on another event loop, without its client, a stream read twice."""

import asyncio
import gc
import threading

import pytest
from glasstape import AsyncClient, Client, GlasstapeError, InvalidRequestError, PreconditionError, Tls
from glasstape.testing import FakeServer, make_buy


@pytest.fixture
def fake():
    with FakeServer() as server:
        yield server


CALLS = {
    "model": (), "models": (), "server_info": (), "instruments": (), "bars": ("A", "1d"), "ready": (), "health": (),
    "track_record": (), "history": (), "signals": (), "publish_bars": ([],),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_closed_client_says_so_in_every_method(fake, name):
    client = Client(fake.address)
    client.model()
    client.close()
    client.close()
    with pytest.raises(PreconditionError, match="this client is closed: create another one") as caught:
        list(getattr(client, name)(*CALLS[name]))
    assert caught.value.reason == "CLIENT_CLOSED"


@pytest.mark.parametrize("name", CALLS)
async def test_a_closed_asyncio_client_says_so_in_every_method(fake, name):
    client = AsyncClient(fake.address)
    await client.model()
    await client.close()
    await client.close()

    async def use():
        result = getattr(client, name)(*CALLS[name])
        return await (anext(aiter(result)) if hasattr(result, "__aiter__") else result)

    with pytest.raises(PreconditionError, match="this client is closed: create another one"):
        await use()


def test_closing_a_client_ends_a_stream_that_another_thread_reads(fake):
    client, opened, outcome = Client(fake.address), threading.Event(), []

    def read():
        try:
            for _ in client.signals(heartbeat_interval=0.2).messages():
                opened.set()
            outcome.append("ended")
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert opened.wait(5)
    client.close()
    thread.join(5)
    assert outcome == ["ended"]


async def test_closing_an_asyncio_client_ends_a_stream_that_another_task_reads(fake):
    client, opened = AsyncClient(fake.address), asyncio.Event()

    async def read():
        async for _ in client.signals(heartbeat_interval=0.2).messages():
            opened.set()
        return "ended"

    reading = asyncio.create_task(read())
    await asyncio.wait_for(opened.wait(), 5)
    await client.close()
    assert await asyncio.wait_for(reading, 5) == "ended"


def test_a_call_that_close_ends_says_that_the_client_is_closed(fake):
    entered, release = threading.Event(), threading.Event()

    def predict(symbol, window):
        entered.set()
        release.wait(5)
        raise AssertionError

    fake.predict = predict
    client, errors = Client(fake.address), []

    def call():
        try:
            client.predict(symbols=["A"])
        except GlasstapeError as error:
            errors.append(error.reason)

    thread = threading.Thread(target=call)
    thread.start()
    assert entered.wait(5)
    client.close()
    thread.join(5)
    release.set()
    assert errors == ["CLIENT_CLOSED"]


async def test_an_asyncio_call_that_close_ends_says_that_the_client_is_closed(fake):
    entered, release = threading.Event(), threading.Event()
    fake.predict = lambda symbol, window: entered.set() or release.wait(5)
    client = AsyncClient(fake.address)
    calling = asyncio.create_task(client.predict(symbols=["A"]))
    assert await asyncio.to_thread(entered.wait, 5)
    await client.close()
    with pytest.raises(PreconditionError, match="this client is closed"):
        await calling
    release.set()


def test_a_stream_keeps_its_client(fake):
    fake.emit(make_buy("A"))
    stream = Client(fake.address).signals(start="earliest")
    gc.collect()
    assert next(iter(stream)).symbol == "A"

    async def main():
        kept = AsyncClient(fake.address).signals(start="earliest")
        gc.collect()
        return (await anext(aiter(kept))).symbol

    assert asyncio.run(main()) == "A"


def test_a_stream_that_is_read_a_second_time_says_how_to_continue(fake):
    fake.emit(make_buy("A"))
    with Client(fake.address) as client:
        stream = client.signals(start="earliest")
        events = iter(stream)
        assert next(events).symbol == "A"
        for again in (stream.messages, lambda: iter(stream)):
            with pytest.raises(PreconditionError, match=r"signals\(resume_token=stream.resume_token\)"):
                again()

    async def main():
        async with AsyncClient(fake.address) as client:
            stream = client.signals(start="earliest")
            assert (await anext(aiter(stream))).symbol == "A"
            with pytest.raises(PreconditionError, match="read before"):
                aiter(stream)

    asyncio.run(main())


def test_a_stream_that_was_closed_before_it_was_read_is_empty(fake):
    with Client(fake.address) as client:
        stream = client.signals()
        stream.close()
        assert list(stream) == []


def test_an_asyncio_client_may_be_created_without_a_loop_and_outlive_one(fake):
    client = AsyncClient(fake.address)
    assert [asyncio.run(client.model()).ref.name for _ in range(3)] == ["fake"] * 3
    asyncio.run(client.close())


async def test_an_asyncio_client_says_that_another_loop_uses_it(fake):
    client = AsyncClient(fake.address)
    await client.model()

    def elsewhere(call):
        with pytest.raises(PreconditionError, match="create a client in each loop") as caught:
            asyncio.run(call())
        assert caught.value.reason == "OTHER_EVENT_LOOP"

    await asyncio.to_thread(elsewhere, client.model)
    await asyncio.to_thread(elsewhere, client.close)
    await asyncio.to_thread(elsewhere, lambda: anext(aiter(client.signals())))
    assert (await client.model()).ref.name == "fake"
    await client.close()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_timeout_is_a_finite_number_of_seconds_above_zero(fake, timeout):
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidRequestError, match="timeout: must be a finite number of seconds above 0"):
            kind(fake.address, timeout=timeout)
    if timeout is not None:
        with Client(fake.address) as client:
            for name, arguments in CALLS.items():
                if name != "signals":
                    with pytest.raises(InvalidRequestError, match="timeout: must be"):
                        getattr(client, name)(*arguments, timeout=timeout)


def test_the_timeout_of_a_call_replaces_that_of_the_client(fake):
    entered = threading.Event()
    fake.predict = lambda symbol, window: entered.wait(1)
    with Client(fake.address, timeout=60) as client, pytest.raises(GlasstapeError) as caught:
        client.predict(symbols=["A"], timeout=0.05)
    entered.set()
    assert caught.value.code == "DEADLINE_EXCEEDED"
    with Client(fake.address, timeout=1e300) as client:
        assert client.model().ref.name == "fake"


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"root_certificates": "ca.pem"}, "tls.root_certificates: must be the bytes of a PEM file, is str"),
        ({"root_certificates": b"ca.pem"}, "tls.root_certificates: must be the bytes of a PEM file"),
        ({"client_key": b"-----BEGIN X"}, "tls: client_key and client_certificates must be set together"),
    ],
)
def test_tls_takes_the_bytes_of_pem_files(arguments, rule):
    with pytest.raises(InvalidRequestError, match=rule):
        Tls(**arguments)


@pytest.mark.parametrize("token", ["", "two words", "schlüssel", "a\nb", b"bytes", 5])
def test_a_token_is_a_header(token):
    with pytest.raises(InvalidRequestError, match="token: must be printable ASCII without spaces"):
        Client("localhost:1", token=token)


def test_a_token_that_no_server_accepts_is_refused():
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidRequestError, match="token: must have at most 8,140 characters, has 8,141"):
            kind("localhost:1", token="a" * 8_141)


def test_no_text_of_a_client_shows_its_token(fake):
    for kind in (Client, AsyncClient):
        client = kind(fake.address, token="hidden-token")
        shown = [
            repr(client),
            repr(vars(client)),
            repr(vars(client._transport)),
            repr(client._transport.settings),
        ]
        assert not [text for text in shown if "hidden-token" in text]
        assert "timeout=10.0" in shown[-1]


def sent_in_both(fake, use):
    """What both clients raise."""
    with Client(fake.address, timeout=60) as client, pytest.raises(GlasstapeError) as ours:
        use(client)

    async def main():
        async with AsyncClient(fake.address, timeout=60) as other:
            with pytest.raises(GlasstapeError) as theirs:
                await use(other)
        return theirs.value

    return ours.value, asyncio.run(main())


def first_of(client):
    messages = client.signals(symbols=["S" * 64] * 300_000).messages()
    return anext(messages) if isinstance(client, AsyncClient) else next(messages)


@pytest.mark.parametrize(
    "use", [first_of, lambda client: client.predict(symbols=["S" * 64] * 300_000)], ids=["stream", "call"]
)
def test_a_request_that_is_too_large_is_refused_and_not_retried(fake, use):
    for error in sent_in_both(fake, use):
        assert isinstance(error, InvalidRequestError)
        assert error.reason == "MESSAGE_TOO_LARGE"
        assert "must have at most 16,777,216 bytes, has 19,8" in str(error)
    assert not fake.calls["Signals"] + fake.calls["Predict"]


def test_an_answer_that_is_too_large_is_not_retried(fake):
    fake.emit(make_buy("S" * (17 << 20)))
    stream = {"start": "earliest", "heartbeat_interval": 0.5}

    def read(client):
        events = client.signals(**stream)
        return anext(aiter(events)) if isinstance(client, AsyncClient) else next(iter(events))

    for error in sent_in_both(fake, read):
        assert isinstance(error, InvalidRequestError)
        assert error.reason == "MESSAGE_TOO_LARGE"
