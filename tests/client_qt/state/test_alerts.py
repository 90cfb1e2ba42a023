from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from desks import DOWN, START, UP, Clock, batch, buy, confidence, feed, make_desk
from glasstape import DataState, Heartbeat
from glasstape.testing import MODEL, make_confidence
from glasstape_qt.state.alerts import Rules

BELOW = make_confidence(0.28, 0.30, 0.42)  # UP, and below the model's threshold of 0.45


def entered(changes):
    return [[row.symbol for row in line.rows] for line in changes.lines]


def test_a_symbol_alerts_when_it_enters_up_and_not_while_it_stays():
    desk = make_desk()
    assert entered(feed(desk, batch(confidence("A", UP, 1)))) == [["A"]]
    assert entered(feed(desk, batch(confidence("A", UP, 2)))) == []
    assert entered(feed(desk, batch(confidence("A", DOWN, 3)))) == []
    assert entered(feed(desk, batch(confidence("A", UP, 4)))) == [["A"]]


@pytest.mark.parametrize(
    "event",
    [
        confidence("A", BELOW),
        confidence("A", DOWN),
        confidence("A", replace(UP, abstained=True)),
        confidence("A", UP, snapshot=True),
        confidence("A", UP, state=DataState.STALE),
        confidence("A", UP, state=DataState.REPLAY),
        confidence("A", UP, days=-10),
    ],
    ids=["below", "down", "abstained", "snapshot", "stale", "replayed", "expired"],
)
def test_nothing_else_alerts(event):
    desk = make_desk()
    changes = feed(desk, batch(event))
    assert (changes.lines, changes.call) == ([], None)
    assert desk.rows["A"].flashed == 0.0


def test_replays_alert_if_asked_for():
    desk = make_desk()
    desk.alerts.rules = Rules(replays=True)
    assert entered(feed(desk, batch(confidence("A", UP, state=DataState.REPLAY)))) == [["A"]]


def test_a_crowd_is_one_line():
    desk = make_desk()
    changes = feed(desk, batch(*(confidence(f"S{n}", UP, n + 1) for n in range(50))))
    assert [len(line.rows) for line in changes.lines] == [50]
    assert len(changes.call.rows) == 50


def test_what_came_while_nobody_was_there_is_one_line_that_does_not_flash():
    desk = make_desk(wall=Clock((START + timedelta(minutes=10)).timestamp()))
    changes = feed(desk, batch(confidence("A", UP, 1), confidence("B", UP, 2)))
    assert [line.backlog for line in changes.lines] == [True]
    assert entered(changes) == [["A", "B"]]
    assert desk.rows["A"].flashed == 0.0


def test_calls_keep_their_distance_and_what_waited_is_said_together():
    clock = Clock(1000.0)
    desk = make_desk(now=clock)
    assert feed(desk, batch(confidence("A", UP, 1))).call is not None
    clock.seconds += 5
    assert feed(desk, batch(confidence("B", UP, 2))).call is None
    clock.seconds += 5
    assert feed(desk, batch(confidence("C", UP, 3))).call is None
    clock.seconds += 20
    assert [row.symbol for row in feed(desk, batch(buy("Z", 9))).call.rows] == ["B", "C"]


def test_muted_quiet_and_snoozed_make_no_call():
    desk = make_desk()
    desk.alerts.rules = Rules(muted=True)
    changes = feed(desk, batch(confidence("A", UP, 1)))
    assert entered(changes) == [["A"]]
    assert changes.call is None
    desk.alerts.rules = Rules()
    desk.buys.snooze("B", 200.0)
    assert feed(desk, batch(confidence("B", UP, 2))).lines == []
    assert feed(desk, batch(confidence("C", UP, 3))).call is not None


@pytest.mark.parametrize(("hour", "quiet"), [(23, True), (3, True), (7, False), (12, False)])
def test_quiet_hours_may_cross_midnight(hour, quiet):
    rules = Rules(quiet_from=time(22), quiet_until=time(7))
    assert rules.quiet(datetime(2026, 1, 5, hour)) is quiet
    assert not Rules(quiet_from=time(7), quiet_until=time(7)).quiet(datetime(2026, 1, 5, hour))


def test_the_traders_own_threshold_replaces_the_models():
    desk = make_desk()
    desk.alerts.rules = Rules(threshold=0.40)
    assert entered(feed(desk, batch(confidence("A", BELOW)))) == [["A"]]


def test_what_waited_is_called_only_if_it_still_stands():
    clock = Clock(1000.0)
    desk = make_desk(now=clock)
    feed(desk, batch(confidence("A", UP, 1)))
    feed(desk, batch(confidence("B", UP, 2), confidence("C", UP, 3)))
    feed(desk, batch(confidence("B", DOWN, 4)))
    clock.seconds += 60
    assert [row.symbol for row in feed(desk, batch(buy("Z", 9))).call.rows] == ["C"]


def test_two_clocks_that_differ_make_no_backlog():
    desk = make_desk(wall=Clock(START.timestamp() + 20.0))  # this machine's clock is 20 s ahead
    feed(
        desk,
        Heartbeat(server_time=START, market_time=START, data_state=DataState.LIVE, last_bar_close_time=None),
    )
    assert [line.backlog for line in feed(desk, batch(confidence("A", UP, 3))).lines] == [False]


def test_an_entry_by_a_model_not_yet_described_is_told_when_it_is():
    desk = make_desk()
    other = replace(MODEL, ref=replace(MODEL.ref, digest="2" * 64))
    feed(desk, batch(replace(confidence("A", DOWN, 1), model=other.ref)))
    assert feed(desk, batch(replace(confidence("A", UP, 2), model=other.ref))).lines == []
    told = desk.describe([other], [])
    assert entered(told) == [["A"]]
    assert told.call is not None
    assert entered(feed(desk, batch(replace(confidence("A", UP, 3), model=other.ref)))) == []


def test_a_late_one_does_not_make_a_live_one_late():
    desk = make_desk(wall=Clock((START + timedelta(minutes=10)).timestamp()))
    live = confidence("LIVE", UP, 2)
    live = replace(live, publish_time=START + timedelta(minutes=10))
    lines = feed(desk, batch(confidence("LATE", UP, 1), live)).lines
    assert {line.rows[0].symbol: line.backlog for line in lines} == {"LATE": True, "LIVE": False}


def test_bars_of_another_length_do_not_fight_over_the_row():
    desk = make_desk()
    feed(desk, batch(confidence("A", UP, 1)))
    minute = replace(confidence("A", DOWN, 2), interval="5m")
    assert feed(desk, batch(minute)).rows == set()
    assert desk.rows["A"].event.sequence == 1
