"""Whatever reads the messages of a stream says that there is no connection: recordings and `glasstape watch --json`."""

import asyncio
import json
import re
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from glasstape import AsyncClient, OverloadedError, UnavailableError
from glasstape.cli import main, watch
from glasstape.session import Recorder
from glasstape.testing import FakeServer, make_buy, make_confidence_event
from log_lines import logged


def until(condition):
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


@pytest.fixture
def server():
    with FakeServer() as fake:
        yield fake


@pytest.fixture
def lines():
    with logged() as found:
        yield found


@contextmanager
def ended_after(seconds, server):
    """End a server while the block runs."""
    timer = threading.Timer(seconds, lambda: server.__exit__(None, None, None))
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_a_recording_whose_server_is_gone_is_incomplete(server, lines, tmp_path):
    with Recorder(server.address, tmp_path / "x.session") as recorder:
        server.emit(make_buy("AAPL"))
        until(lambda: recorder.events == 1)
        server.__exit__(None, None, None)
        until(lambda: recorder.outages == 1)
    assert isinstance(recorder.error, UnavailableError)
    assert len(lines) == 1
    assert lines[0].startswith(f"{server.address}: no connection, trying again: ")


def test_a_recording_counts_outages_and_what_was_lost_in_them(server, lines, tmp_path):
    with Recorder(server.address, tmp_path / "x.session") as recorder:
        for sequence in range(3):
            server.emit(make_buy("AAPL"))
            until(lambda least=sequence + 1: recorder.events >= least)
        server.fail("Signals", UnavailableError("it starts"))
        server.break_streams()
        until(lambda: recorder.outages == 1)
        for _ in range(5):
            server.emit(make_buy("AAPL"))
        server.forget_before(7)
        server.fail("Signals", None)
        until(lambda: len(lines) == 3)
    assert recorder.error is None
    assert (recorder.events, recorder.outages, recorder.gaps) == (5, 1, 1)
    assert lines[1] == f"{server.address}: events 4 to 6 are lost: not_retained"
    assert re.search(r"connected again after \d+ s", lines[-1])


def test_a_recording_of_a_history_that_was_replaced_has_a_gap(server, lines, tmp_path):
    with Recorder(server.address, tmp_path / "x.session") as recorder:
        server.emit(make_buy("AAPL"))
        until(lambda: recorder.events == 1)
        server.begin_epoch()
        server.break_streams()
        until(lambda: recorder.gaps == 1)
    assert recorder.error is None
    assert any("the server has a new history" in line for line in lines)


@pytest.mark.parametrize("ends", ["before the stream", "meanwhile"])
def test_the_command_says_that_a_recording_is_incomplete(ends, server, tmp_path, capsys):
    if ends == "meanwhile":
        with ended_after(1.0, server):
            status = main(["record", "--for", "2s", str(tmp_path / "x.session"), "--server", server.address])
    else:
        server.fail("Signals", OverloadedError("1 stream at most", reason="QUOTA_EXCEEDED"))
        status = main(["record", "--for", "1s", str(tmp_path / "x.session"), "--server", server.address])
    assert status == 1
    summary, sentence = capsys.readouterr().err.splitlines()[-2:]
    assert summary == f"{tmp_path / 'x.session'}: 0 events, 0 maps, connection lost: 1"
    assert sentence.startswith("glasstape record: the recording is incomplete: ")


@pytest.mark.parametrize("world", ["closed", "refused", "silent"])
def test_watch_fails_without_a_connection(world, server, lines, capsys, monkeypatch):
    monkeypatch.setattr(watch, "FIRST_ANSWER_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = {
            "closed": "127.0.0.1:1",
            "refused": server.address,
            "silent": f"127.0.0.1:{silent.getsockname()[1]}",
        }[world]
        server.fail("Signals", OverloadedError("1 stream at most", reason="QUOTA_EXCEEDED"))
        assert main(["watch", "--json", "--for", "1s", "--server", address]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert len(lines) == (0 if world == "silent" else 1)


@pytest.mark.parametrize("view", [["--json"], ["--view", "text"], ["--view", "table"]])
def test_watch_says_once_that_the_connection_is_lost(view, server, lines, capsys):
    server.emit(make_confidence_event("AAPL"))
    with ended_after(1.0, server):
        assert main(["watch", *view, "--for", "3s", "--server", server.address]) == 0
    out = capsys.readouterr().out
    assert "AAPL" in out
    if view == ["--json"]:
        assert [json.loads(line)["symbol"] for line in out.splitlines()] == ["AAPL"]
    assert len(lines) == 1
    assert lines[0].startswith(f"{server.address}: no connection, trying again: ")


async def test_the_events_of_an_async_client_log_outages_in_the_same_way(server, lines):
    async with AsyncClient(server.address) as client:
        stream = client.signals(heartbeat_interval=0.1)
        reading = asyncio.create_task(_all(stream))
        await asyncio.to_thread(until, lambda: server.calls["Signals"])
        server.fail("Signals", UnavailableError("it starts"))
        server.break_streams()
        await asyncio.to_thread(until, lambda: lines)
        server.fail("Signals", None)
        await asyncio.to_thread(until, lambda: len(lines) == 2)
        stream.close()
        await reading
    assert lines[0].startswith(f"{server.address}: no connection, trying again: ")
    assert re.fullmatch(rf"{server.address}: connected again after \d+ s", lines[1])


async def _all(stream):
    return [event async for event in stream]
