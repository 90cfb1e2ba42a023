"""Servers and brokers of a cluster are killed and frozen while bars are published and clients hop between servers."""

import random
import shutil
import signal
import time

import numpy as np
import pytest
from brokers import requires_broker
from cluster_of_three import ClusterOfThree
from effort import LONG, effort
from glasstape import BuyEvent, Client
from glasstape.cli import main
from history import Follower, Publisher, check, check_journal, settled
from made_up import LONG_AGO, daily

ROUNDS = effort(3, 200)
SYMBOLS = ("AAA", "BBB", "CCC")
HISTORY = 80
FROZEN_S = 4.0
"""Longer than the lease of leadership."""

pytestmark = requires_broker


def kill_leader(cluster, chance):
    server = cluster.leader()
    server.kill()
    return lambda: cluster.restart(server)


def stop_leader(cluster, chance):
    server = cluster.leader()
    server.stop()
    return lambda: cluster.restart(server)


def freeze_leader(cluster, chance):
    """Two servers believe that they lead, once this one is thawed."""
    server = cluster.leader()
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN_S)
    server.process.send_signal(signal.SIGCONT)
    return lambda: None


def kill_server(cluster, chance):
    server = chance.choice(cluster.servers)
    server.kill()
    return lambda: cluster.restart(server)


def wipe_server(cluster, chance):
    server = chance.choice(cluster.servers)
    server.kill()
    shutil.rmtree(cluster.folder(cluster.servers.index(server)) / "cluster")
    return lambda: cluster.restart(server)


def kill_broker(cluster, chance):
    broker = chance.choice(cluster.brokers.brokers)
    broker.kill()
    return broker.start


def freeze_broker(cluster, chance):
    broker = chance.choice(cluster.brokers.brokers)
    broker.signal(signal.SIGSTOP)
    time.sleep(FROZEN_S)
    broker.signal(signal.SIGCONT)
    return lambda: None


SHORT = [kill_leader, kill_broker, freeze_leader]
FAULTS = [*SHORT, stop_leader, kill_server, wipe_server, freeze_broker]


@pytest.mark.timeout(180 + 40 * ROUNDS)
def test_clients_that_hop_lose_nothing_and_all_servers_end_equal(tmp_path):
    chance = random.Random(7)
    series = {symbol: daily(symbol, 13_000, seed, LONG_AGO) for seed, symbol in enumerate(SYMBOLS)}
    batches = [list(row) for row in zip(*(bars[HISTORY:] for bars in series.values()), strict=True)]
    with ClusterOfThree(tmp_path) as cluster:
        with Client(cluster.servers[0].address) as client:
            for bars in series.values():
                client.publish_bars(bars[:HISTORY], mode="backfill")
        publisher = Publisher(cluster.address, batches, pause=0.05)
        everything = Follower(cluster.address, delivery="every_event", conflation_interval=0)
        buys = Follower(cluster.address, kinds=["buy"], symbols=["AAA", "CCC"])
        followers = (everything, buys)
        for thread in (publisher, *followers):
            thread.start()
        publisher.reach(5, 40)
        stalls = []
        for number in range(ROUNDS):
            fault = chance.choice(FAULTS) if LONG else SHORT[number]
            before = publisher.acknowledged
            begin = time.monotonic()
            repair = fault(cluster, chance)
            publisher.reach(before + 3, 40)
            seen = len(everything.events)
            while len(everything.events) == seen:
                assert time.monotonic() - begin < 60, fault.__name__
                time.sleep(0.02)
            stalls.append((time.monotonic() - begin, fault.__name__))
            repair()
        publisher.finish()

        acknowledged = publisher.acknowledged
        with Client(cluster.leader().address) as client:
            journal = settled(client, acknowledged * len(SYMBOLS), 60)
        cluster.caught_up(max(journal))
        for server in cluster.servers:
            with Client(server.address) as client:
                for symbol, bars in series.items():
                    assert (
                        client.bars(symbol, "1d")[: HISTORY + acknowledged] == bars[: HISTORY + acknowledged]
                    )
        for follower in followers:
            follower.finish(max(journal))
        for server in cluster.servers:
            server.stop()
        first, *others = cluster.projections()
    bars = [bar for batch in batches[:acknowledged] for bar in batch]
    check_journal(journal, [(bar.symbol, bar.close_time) for bar in bars])
    check(everything, journal)
    check(buys, journal, lambda event: isinstance(event, BuyEvent) and event.symbol in ("AAA", "CCC"))
    for other in others:
        for table, rows in first.items():
            assert rows == other[table], table
    half, most = np.percentile([seconds for seconds, _ in stalls], [50, 99], method="higher")
    print(
        f"{ROUNDS} rounds, {len(journal)} events, signals again after p50 {half:.2f} s, p99 {most:.2f} s: {stalls}"
    )


@pytest.mark.skipif(not LONG, reason="starts four servers; part of `make faults`")
def test_the_benchmark_of_a_cluster_measures_every_stage(capsys):
    assert main(["bench", "cluster", "--quick"]) == 0
    printed = capsys.readouterr().out
    for label in ("sent to acknowledged", "sent to last subscriber", "first server to last server"):
        assert f"| {label} |" in printed
