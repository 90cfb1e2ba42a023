from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from glasstape import (
    AuthenticationError,
    CalibrationState,
    DataState,
    Disconnected,
    GlasstapeError,
    Heartbeat,
    PermissionDeniedError,
    PreconditionError,
    UnavailableError,
)
from glasstape.testing import MODEL
from glasstape_qt.i18n import LANGUAGES, texts
from glasstape_qt.state.connection import Connection, LinkState, reason_of
from stores import Clock, apply, confidence, make_store, opened

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def beat(server=NOON, market=NOON, state=DataState.LIVE):
    return Heartbeat(server_time=server, market_time=market, data_state=state, last_bar_close_time=None)


def test_a_silent_link_is_stale_within_three_seconds_and_fresh_again_with_the_next_message():
    clock = Clock()
    link = Connection(clock, Clock(NOON.timestamp()))
    link.opened(opened())
    link.heartbeat(beat())
    assert link.fresh
    clock.seconds = 2.9
    assert link.check_silence()
    assert (link.state, link.fresh) == (LinkState.SILENT, False)
    link.heartbeat(beat())
    assert link.state is LinkState.CONNECTED


def test_a_signal_of_a_fresher_moment_does_not_hide_that_the_market_is_stale_now():
    link = Connection(Clock(), Clock(NOON.timestamp()))
    link.opened(opened())
    link.heartbeat(beat(state=DataState.STALE))
    link.signal(confidence("A", state=DataState.LIVE))
    assert (link.data_state, link.fresh) == (DataState.STALE, False)
    link.heartbeat(beat(state=DataState.LIVE))
    assert link.fresh
    link.heartbeat(beat(state=DataState.EMPTY))
    assert (link.data_state, link.fresh) == (DataState.EMPTY, True), "no bars yet is not stale"


def test_a_disconnect_has_a_reason_and_the_time_of_the_retry():
    clock = Clock(50.0)
    link = Connection(clock)
    error = UnavailableError("failed to connect to all addresses; Connection refused")
    link.disconnected(Disconnected(error=error, retry_in=timedelta(seconds=4), attempt=3))
    clock.seconds = 51.0
    assert (link.state, link.attempt, link.retry_in()) == (LinkState.WAITING, 3, 3.0)
    assert link.disconnect_reason.key == "link.refused"


def test_latency_needs_no_common_clock():
    link = Connection(Clock(), Clock())
    for extra in [0.010] * 98 + [0.0, 0.200]:
        link.add_latency(500.0 + extra, 200.0)  # the clocks are five minutes apart
    p50, p99 = link.latency()
    assert p50 == pytest.approx(0.010)
    assert p99 == pytest.approx(0.200)


def test_the_market_clock_runs_live_and_stands_between_the_bars_of_a_replay():
    clock = Clock()
    live = Connection(clock, Clock(NOON.timestamp()))
    live.heartbeat(beat())
    clock.seconds = 30
    assert live.market_now() == NOON + timedelta(seconds=30)
    replay = Connection(clock, Clock())
    replay.signal(confidence("A", state=DataState.REPLAY))
    clock.seconds += 2
    first = replay.market_now()
    replay.signal(confidence("A", state=DataState.REPLAY, days=1))
    assert replay.market_now() - first == timedelta(days=1)
    assert replay.replay_speed == pytest.approx(43_200)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (AuthenticationError("no"), "link.token"),
        (PermissionDeniedError("no"), "link.permission"),
        (UnavailableError("Ssl handshake failed: certificate has expired"), "link.certificate_expired"),
        (UnavailableError("Ssl handshake failed: CERTIFICATE_VERIFY_FAILED"), "link.certificate"),
        (UnavailableError("DNS resolution failed for nowhere"), "link.address"),
        (UnavailableError("h:1: the host name is unknown", reason="ADDRESS_UNKNOWN"), "link.address"),
        (UnavailableError("h:1: requires TLS", reason="TLS_REQUIRED"), "link.tls_required"),
        (UnavailableError("h:1: plaintext", reason="TLS_NOT_SERVED"), "link.tls_not_served"),
        (
            UnavailableError("h:1: rejected: it is for other host names", reason="CERTIFICATE_REJECTED"),
            "link.certificate_name",
        ),
        (UnavailableError("h:1", reason="CLIENT_CERTIFICATE_REQUIRED"), "link.client_certificate"),
        (UnavailableError("h:1", reason="CLIENT_CERTIFICATE_REJECTED"), "link.client_certificate"),
        (PreconditionError("old", reason="CONTRACT_MISMATCH"), "link.contract"),
        (UnavailableError("silent", reason="STREAM_SILENT"), "link.silent"),
        (GlasstapeError(""), "link.error"),
    ],
)
def test_every_connection_error_has_a_reason_with_a_text(error, key):
    reason = reason_of(error)
    assert reason.key == key
    for language in LANGUAGES:
        assert texts(language)[reason.key].format(**reason.values)


def test_heartbeats_carry_the_calibration_of_the_active_model():
    store = make_store()
    apply(store, opened(), beat())
    assert store.connection.calibration is CalibrationState.UNKNOWN
    store.unknown_models.clear()
    assert not store.connection.drifted
    apply(store, replace(beat(), calibration=CalibrationState.BROKEN, drifted=True))
    assert store.connection.drifted
    assert store.connection.calibration is CalibrationState.BROKEN
    assert MODEL.ref in store.unknown_models, "its live figures must be requested again"
