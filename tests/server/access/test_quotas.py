from contextlib import ExitStack

import grpc
import pytest
from glasstape import Client, OverloadedError
from glasstape.v1 import signals_pb2, signals_pb2_grpc
from glasstape_server.access.quotas import Limits, Quotas
from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.domain.values import Principal

A, B = Principal("a", "desk"), Principal("b", "robot")


class ManualClock:
    """Clock that a test advances."""

    now = 100.0

    def __call__(self):
        return self.now


def _rejected(function, *arguments):
    """Return the retry delay of a call that exceeds a quota, seconds."""
    with pytest.raises(ResourceExhausted) as error:
        function(*arguments)
    assert error.value.reason == "QUOTA_EXCEEDED"
    return error.value.retry_after


def test_a_limit_of_zero_leaves_that_quota_unlimited():
    quotas = Quotas(Limits(windows_per_second=1))
    for _ in range(3):
        quotas.charge_passes(A, 10_000)
    quotas.charge_windows(A, 10_000)
    assert _rejected(quotas.charge_windows, A, 1) > 9_000
    quotas = Quotas(Limits(explain_passes_per_minute=60))
    for _ in range(3):
        quotas.charge_windows(A, 10_000)
    quotas.charge_passes(A, 10_000)
    assert _rejected(quotas.charge_passes, A, 1) > 9_000
    with ExitStack() as streams:
        for _ in range(100):
            streams.enter_context(quotas.stream(A))


def test_windows_are_refilled_over_time_and_counted_per_caller():
    clock = ManualClock()
    quotas = Quotas(Limits(windows_per_second=1000), clock)
    quotas.charge_windows(A, 3000)  # one call may overdraw, so that a large one is possible
    assert _rejected(quotas.charge_windows, A, 1) == pytest.approx(2.001)
    quotas.charge_windows(B, 1)
    clock.now += 1.0
    assert _rejected(quotas.charge_windows, A, 1) == pytest.approx(1.001)


def test_a_retry_after_the_reported_delay_succeeds():
    clock = ManualClock()
    quotas = Quotas(Limits(explain_passes_per_minute=60), clock)
    quotas.charge_passes(A, 30)
    clock.now += _rejected(quotas.charge_passes, A, 1)
    quotas.charge_passes(A, 1)


def test_closed_streams_are_returned_to_the_quota():
    quotas = Quotas(Limits(streams=2))
    with quotas.stream(A), quotas.stream(A), quotas.stream(B):
        assert _rejected(quotas.stream(A).__enter__) == 2.0
    with quotas.stream(A), quotas.stream(A):
        assert _rejected(quotas.stream(A).__enter__) == 2.0


def test_a_quota_counts_whatever_is_asked_for_and_before_it_is_looked_up(tmp_path, spawn):
    server = spawn(tmp_path, "--quota-windows", "4", "--quota-explain", "60", "--quota-streams", "1")
    with Client(server.address) as client:
        assert len(client.predict(signals=range(1, 9))) == 8  # one call may go into debt
        with pytest.raises(OverloadedError, match="may use 4 windows per second"):
            client.predict(symbols=["AAA"])
        assert len(client.explain(symbols=["AAA"], method="integrated_gradients")) == 1
        with pytest.raises(OverloadedError, match="explanation passes per minute"):
            client.explain(signals=[1])
        with client.signals() as stream:
            messages = stream.messages()
            next(messages)
            with grpc.insecure_channel(server.address) as channel:
                second = signals_pb2_grpc.SignalServiceStub(channel).Signals(signals_pb2.SignalsRequest())
                with pytest.raises(grpc.RpcError, match="has 1 open streams, at most 1 are allowed"):
                    next(second)
    assert server.stop() == 0
