"""F1: the server is killed again and again while bars are published and three clients follow."""

import random
import time

import numpy as np
import pytest
from effort import effort
from glasstape import BuyEvent, Client
from history import Follower, Publisher, check, check_journal, settled
from made_up import LONG_AGO, daily

KILLS = effort(2, 200)
SYMBOLS = ("AAA", "BBB", "CCC")
HISTORY = 80


@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(tmp_path, spawn):
    chance = random.Random(7)
    server = spawn(tmp_path)
    series = {symbol: daily(symbol, 13_000, seed, LONG_AGO) for seed, symbol in enumerate(SYMBOLS)}
    with Client(server.address) as client:
        for bars in series.values():
            client.publish_bars(bars[:HISTORY], mode="backfill")
    batches = [list(row) for row in zip(*(bars[HISTORY:] for bars in series.values()), strict=True)]
    publisher = Publisher(server.address, batches)
    everything = Follower(server.address, delivery="every_event", conflation_interval=0)
    filtered = Follower(server.address, kinds=["buy"], symbols=["AAA", "CCC"])
    slow = Follower(server.address, pause=0.3)
    followers = (everything, filtered, slow)
    for thread in (publisher, *followers):
        thread.start()
    recoveries = []
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.2))
        before = publisher.acknowledged
        server.kill()
        server.start()
        back = time.monotonic()
        publisher.reach(before + 3)
        resumed = next((moment for moment in everything.heard if moment > back), time.monotonic())
        recoveries.append(resumed - back)
    publisher.finish()

    acknowledged = publisher.acknowledged
    with Client(server.address) as client:
        journal = settled(client, acknowledged * len(SYMBOLS))
        for symbol, bars in series.items():
            assert client.bars(symbol, "1d")[: HISTORY + acknowledged] == bars[: HISTORY + acknowledged]
    for follower in followers:
        follower.finish(max(journal))
    server.stop()

    assert acknowledged >= 3 * KILLS
    bars = [bar for batch in batches[:acknowledged] for bar in batch]
    check_journal(journal, [(bar.symbol, bar.close_time) for bar in bars])
    check(everything, journal)
    check(filtered, journal, lambda event: isinstance(event, BuyEvent) and event.symbol in ("AAA", "CCC"))
    check(slow, journal, conflated=True)
    half, most = np.percentile(recoveries, [50, 99], method="higher")
    print(f"{KILLS} kills, {len(journal)} events, resumed after p50 {half:.2f} s, p99 {most:.2f} s")
    assert most <= 5, sorted(recoveries)[-3:]
