from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from glasstape import DataState, Heartbeat
from glasstape.testing import MODEL, make_confidence
from glasstape_qt.state.alerts import AlertRules
from stores import DOWN, START, UP, Clock, apply, batch, buy, confidence, make_store

BELOW = make_confidence(0.28, 0.30, 0.42)  # UP, and below the model's threshold of 0.45


def entered(changes):
    return [[row.symbol for row in alert.rows] for alert in changes.alerts]


def test_a_symbol_alerts_when_it_enters_up_and_not_while_it_stays():
    store = make_store()
    assert entered(apply(store, batch(confidence("A", UP, 1)))) == [["A"]]
    assert entered(apply(store, batch(confidence("A", UP, 2)))) == []
    assert entered(apply(store, batch(confidence("A", DOWN, 3)))) == []
    assert entered(apply(store, batch(confidence("A", UP, 4)))) == [["A"]]


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
    store = make_store()
    changes = apply(store, batch(event))
    assert (changes.alerts, changes.notification) == ([], None)
    assert store.rows["A"].flashed == 0.0


def test_replays_alert_if_enabled():
    store = make_store()
    store.alerts.rules = AlertRules(replays=True)
    assert entered(apply(store, batch(confidence("A", UP, state=DataState.REPLAY)))) == [["A"]]


def test_many_symbols_at_once_share_one_alert():
    store = make_store()
    changes = apply(store, batch(*(confidence(f"S{n}", UP, n + 1) for n in range(50))))
    assert [len(alert.rows) for alert in changes.alerts] == [50]
    assert len(changes.notification.rows) == 50


def test_the_backlog_of_a_disconnect_is_one_alert_that_does_not_flash():
    store = make_store(wall=Clock((START + timedelta(minutes=10)).timestamp()))
    changes = apply(store, batch(confidence("A", UP, 1), confidence("B", UP, 2)))
    assert [alert.backlog for alert in changes.alerts] == [True]
    assert entered(changes) == [["A", "B"]]
    assert store.rows["A"].flashed == 0.0


def test_notifications_keep_their_interval_and_pending_symbols_are_combined():
    clock = Clock(1000.0)
    store = make_store(now=clock)
    assert apply(store, batch(confidence("A", UP, 1))).notification is not None
    clock.seconds += 5
    assert apply(store, batch(confidence("B", UP, 2))).notification is None
    clock.seconds += 5
    assert apply(store, batch(confidence("C", UP, 3))).notification is None
    clock.seconds += 20
    assert [row.symbol for row in apply(store, batch(buy("Z", 9))).notification.rows] == ["B", "C"]


def test_muted_quiet_and_snoozed_symbols_are_not_notified():
    store = make_store()
    store.alerts.rules = AlertRules(muted=True)
    changes = apply(store, batch(confidence("A", UP, 1)))
    assert entered(changes) == [["A"]]
    assert changes.notification is None
    store.alerts.rules = AlertRules()
    store.buys.snooze("B", 200.0)
    assert apply(store, batch(confidence("B", UP, 2))).alerts == []
    assert apply(store, batch(confidence("C", UP, 3))).notification is not None


@pytest.mark.parametrize(("hour", "quiet"), [(23, True), (3, True), (7, False), (12, False)])
def test_quiet_hours_may_cross_midnight(hour, quiet):
    rules = AlertRules(quiet_from=time(22), quiet_until=time(7))
    assert rules.quiet(datetime(2026, 1, 5, hour)) is quiet
    assert not AlertRules(quiet_from=time(7), quiet_until=time(7)).quiet(datetime(2026, 1, 5, hour))


def test_the_traders_own_threshold_replaces_the_models():
    store = make_store()
    store.alerts.rules = AlertRules(threshold=0.40)
    assert entered(apply(store, batch(confidence("A", BELOW)))) == [["A"]]


def test_pending_symbols_are_notified_only_if_they_are_still_up():
    clock = Clock(1000.0)
    store = make_store(now=clock)
    apply(store, batch(confidence("A", UP, 1)))
    apply(store, batch(confidence("B", UP, 2), confidence("C", UP, 3)))
    apply(store, batch(confidence("B", DOWN, 4)))
    clock.seconds += 60
    assert [row.symbol for row in apply(store, batch(buy("Z", 9))).notification.rows] == ["C"]


def test_two_clocks_that_differ_make_no_backlog():
    store = make_store(wall=Clock(START.timestamp() + 20.0))  # this machine's clock is 20 s ahead
    apply(
        store,
        Heartbeat(server_time=START, market_time=START, data_state=DataState.LIVE, last_bar_close_time=None),
    )
    assert [alert.backlog for alert in apply(store, batch(confidence("A", UP, 3))).alerts] == [False]


def test_an_entry_by_an_undescribed_model_is_alerted_once_it_is_described():
    store = make_store()
    other = replace(MODEL, ref=replace(MODEL.ref, digest="2" * 64))
    apply(store, batch(replace(confidence("A", DOWN, 1), model=other.ref)))
    assert apply(store, batch(replace(confidence("A", UP, 2), model=other.ref))).alerts == []
    changes = store.describe([other], [])
    assert entered(changes) == [["A"]]
    assert changes.notification is not None
    assert entered(apply(store, batch(replace(confidence("A", UP, 3), model=other.ref)))) == []


def test_a_late_signal_does_not_make_a_live_one_backlog():
    store = make_store(wall=Clock((START + timedelta(minutes=10)).timestamp()))
    live = confidence("LIVE", UP, 2)
    live = replace(live, publish_time=START + timedelta(minutes=10))
    alerts = apply(store, batch(confidence("LATE", UP, 1), live)).alerts
    assert {alert.rows[0].symbol: alert.backlog for alert in alerts} == {"LATE": True, "LIVE": False}


def test_signals_of_another_interval_do_not_replace_the_row():
    store = make_store()
    apply(store, batch(confidence("A", UP, 1)))
    minute = replace(confidence("A", DOWN, 2), interval="5m")
    assert apply(store, batch(minute)).rows == set()
    assert store.rows["A"].event.sequence == 1


def test_a_replay_was_not_missed_while_disconnected():
    store = make_store(wall=Clock(START.timestamp() + 1e8))
    store.alerts.rules = AlertRules(replays=True)
    apply(store, batch(confidence("B", DOWN, state=DataState.REPLAY)))  # sets the market's clock
    changes = apply(store, batch(confidence("A", UP, state=DataState.REPLAY)))
    assert [alert.backlog for alert in changes.alerts] == [False]
