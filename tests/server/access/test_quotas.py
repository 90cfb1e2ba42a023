from contextlib import ExitStack

import pytest
from glasstape_server.access.quotas import Limits, Quotas
from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.domain.values import Principal

FREE = Quotas(Limits())
A, B = Principal("a", "desk"), Principal("b", "robot")


def _refused(function, *arguments):
    with pytest.raises(ResourceExhausted) as error:
        function(*arguments)
    assert error.value.reason == "QUOTA_EXCEEDED"
    return error.value.retry_after


def test_without_limits_nothing_is_refused_where_the_same_calls_are_with_limits():
    for _ in range(1000):
        FREE.windows(A, 10_000)
        FREE.passes(A, 10_000)
    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(FREE.stream(A))
    limited = Quotas(Limits(streams=1, windows_per_second=1, explain_passes_per_minute=1))
    limited.windows(A, 10_000)
    limited.passes(A, 10_000)
    for call in (limited.windows, limited.passes):
        _refused(call, A, 1)


def test_windows_come_back_with_time_and_each_caller_has_his_own():
    quotas = Quotas(Limits(windows_per_second=1000))
    quotas.windows(A, 3000)  # one call may go into debt, so that a large one is possible
    wait = _refused(quotas.windows, A, 1)
    assert 1.5 < wait <= 2.1
    quotas.windows(B, 1)


def test_the_wait_that_is_told_is_enough():
    now = [100.0]
    quotas = Quotas(Limits(explain_passes_per_minute=60), clock=lambda: now[0])
    quotas.passes(A, 30)
    wait = _refused(quotas.passes, A, 1)
    now[0] += wait
    quotas.passes(A, 1)


def test_streams_are_counted_and_given_back():
    quotas = Quotas(Limits(streams=2))
    with quotas.stream(A), quotas.stream(A), quotas.stream(B):
        assert _refused(quotas.stream(A).__enter__) == 2.0
    with quotas.stream(A), quotas.stream(A):
        pass
