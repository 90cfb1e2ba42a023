"""F7, F8, F9: what networks do to a feed. Detection and recovery are bounded, and nothing is lost."""

import base64
import os
import signal
import time
from pathlib import Path

import grpc
import pytest
from chaos import ChaosProxy
from glasstape import Client
from glasstape.errors import from_rpc
from glasstape.v1 import signals_pb2, signals_pb2_grpc
from history import Follower, Publisher, check, check_journal, settled
from made_up import daily

HISTORY = 80
SYMBOLS = tuple(f"S{number:02d}" for number in range(12))


@pytest.fixture
def traffic(tmp_path, spawn):
    """A server, bars that are published to it around the clock, and a proxy between it and its readers."""
    server = spawn(tmp_path)
    publisher = _publisher(server)
    with ChaosProxy(server.address) as proxy:
        publisher.start()
        yield server, publisher, proxy
        publisher.finish()


def _publisher(server):
    """Of every symbol's bars, behind a history that the server has been given."""
    series = {symbol: daily(symbol, 3000, seed) for seed, symbol in enumerate(SYMBOLS)}
    with Client(server.address) as client:
        for bars in series.values():
            client.publish_bars(bars[:HISTORY], mode="backfill")
    batches = [list(row) for row in zip(*(bars[HISTORY:] for bars in series.values()), strict=True)]
    return Publisher(server.address, batches, pause=0.02)


def _finish(server, publisher, followers):
    """End the traffic and hold every history against the journal, which is returned."""
    publisher.finish()
    with Client(server.address) as client:
        journal = settled(client, publisher.acknowledged * len(SYMBOLS))
    bars = [bar for batch in publisher.batches[: publisher.acknowledged] for bar in batch]
    check_journal(journal, [(bar.symbol, bar.close_time) for bar in bars])
    for follower, conflated in followers:
        follower.finish(max(journal))
        check(follower, journal, conflated=conflated)
    return journal


def _following(address, **wanted):
    follower = Follower(address, **wanted)
    follower.start()
    deadline = time.monotonic() + 10
    while not follower.heard:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return follower


def _wait(condition, seconds):
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - begun


def test_a_cut_link_is_noticed_and_resumed(traffic):
    server, publisher, proxy = traffic
    follower = _following(proxy.address, delivery="every_event", conflation_interval=0)
    publisher.reach(10)
    proxy.toxics.blackhole = True
    noticed = _wait(lambda: follower.lost, 10)
    time.sleep(1)
    proxy.toxics.blackhole = False
    before = len(follower.heard)
    resumed = _wait(lambda: len(follower.heard) > before, 6)
    _finish(server, publisher, [(follower, False)])
    print(f"noticed after {noticed:.1f} s, resumed {resumed:.1f} s after the link was back")


def test_a_frozen_server_is_noticed(traffic):
    server, publisher, _ = traffic
    follower = _following(server.address, delivery="every_event", conflation_interval=0)
    publisher.reach(10)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        noticed = _wait(lambda: follower.lost, 10)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    before = len(follower.heard)
    _wait(lambda: len(follower.heard) > before, 6)
    _finish(server, publisher, [(follower, False)])
    print(f"noticed after {noticed:.1f} s")


def _reset(proxy, follower):
    """Reset the connection of a follower once it has heard something since its last loss."""
    heard, lost = len(follower.heard), len(follower.lost)
    _wait(lambda: len(follower.heard) > heard, 30)
    proxy.reset()
    _wait(lambda: len(follower.lost) > lost, 30)


def test_resets_slices_delays_and_narrow_links_lose_nothing(traffic):
    server, publisher, proxy = traffic
    every = _following(proxy.address, delivery="every_event", conflation_interval=0)
    latest = _following(proxy.address)
    toxics = proxy.toxics
    for change in (
        {"slicer": 3},
        {"slicer": 0, "latency": 0.05, "jitter": 0.05},
        {"latency": 0.0, "jitter": 0.0, "bandwidth": 60_000},
        {"bandwidth": 0.0, "limit_data": 20_000},
    ):
        for name, value in change.items():
            setattr(toxics, name, value)
        _reset(proxy, every)
        publisher.reach(publisher.acknowledged + 15)
    toxics.limit_data = 0
    proxy.reset()
    _finish(server, publisher, [(every, False), (latest, True)])
    assert len(every.lost) >= 4


def test_a_reader_that_never_reads_costs_little_and_harms_nobody(traffic):
    server, publisher, _ = traffic
    other = _following(server.address, delivery="every_event", conflation_interval=0)
    publisher.reach(10)
    before = _resident(server.process.pid)
    stuck = []
    for _ in range(8):
        channel = grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])
        request = signals_pb2.SignalsRequest(
            start=signals_pb2.SignalsRequest.START_EARLIEST,
            delivery=signals_pb2.SignalsRequest.DELIVERY_EVERY_EVENT,
        )
        stuck.append((channel, signals_pb2_grpc.SignalServiceStub(channel).Signals(request)))
    publisher.reach(publisher.acknowledged + 60)
    each = (_resident(server.process.pid) - before) / len(stuck)
    for channel, stream in stuck:
        stream.cancel()
        channel.close()
    _finish(server, publisher, [(other, False)])
    assert each <= 8 * 2**20, f"{each / 2**20:.1f} MiB for each reader that never reads"


@pytest.mark.parametrize("wire", ["grpcio", "native"])
def test_a_reader_that_takes_nothing_is_sent_away_with_a_token_that_loses_nothing(tmp_path, spawn, wire):
    server = spawn(tmp_path, "--wire", wire, "--subscriber-patience", "1")
    publisher = _publisher(server)
    narrow = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(server.address, narrow) as channel:
        wanted = signals_pb2.SignalsRequest(
            start=signals_pb2.SignalsRequest.START_LIVE,
            delivery=signals_pb2.SignalsRequest.DELIVERY_EVERY_EVENT,
        )
        wanted.conflation_interval.FromMilliseconds(0)
        stream = signals_pb2_grpc.SignalServiceStub(channel).Signals(wanted, timeout=60)
        taken = [next(stream)]
        publisher.start()
        publisher.reach(100)  # far more than the connection's window holds
        time.sleep(2)
        with pytest.raises(grpc.RpcError) as ended:
            taken += stream
    error = from_rpc(ended.value)
    assert error.reason == "SLOW_CONSUMER", error
    before = [event.sequence for response in taken for event in response.batch.events]
    token = base64.b64decode(error.metadata["resume_token"])
    follower = Follower(server.address, delivery="every_event", resume_token=token)
    follower.start()
    follower.finish(max(_finish(server, publisher, [])))
    after = [event.sequence for event in follower.events]
    assert before == list(range(1, len(before) + 1))
    assert after == list(range(after[0], after[-1] + 1))
    assert 1 < after[0] <= len(before) + 1, "events were lost between the two"


def _resident(pid):
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
