from glasstape_server.bench import drift_replay
from glasstape_server.signals.performance.drift import MIN_SESSIONS


def test_replays_of_the_own_market_raise_no_alarm():
    alarms = drift_replay.stationary(replays=20, sessions=60)
    assert sum(alarm is not None for alarm in alarms) <= 1


def test_another_market_is_reported_within_ten_sessions():
    market = drift_replay.OTHERS["thin: erratic volume, wide gaps"]
    assert drift_replay.foreign(market, replays=10, sessions=MIN_SESSIONS) == [MIN_SESSIONS] * 10


def test_the_table_has_a_row_for_each_market():
    rows = drift_replay.run(replays=2, sessions=12).splitlines()[2:]
    assert len(rows) == 1 + len(drift_replay.OTHERS)
    assert rows[0].startswith("| the model's own market | 2 |")
