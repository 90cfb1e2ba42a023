"""Scenarios of a client whose stream ends: when it comes back, and when it gives up."""

from itertools import pairwise

import grpc

from glasstape.conformance.messages import (
    TOKENS,
    batch,
    goodbye,
    opened,
)
from glasstape.conformance.scenario import Trial, came_back, scenario
from glasstape.conformance.scripted import Failure
from glasstape.v1 import signals_pb2

RESUMED = opened(signals_pb2.OPEN_RESULT_RESUMED)
DRAINING = Failure(grpc.StatusCode.UNAVAILABLE, "DRAINING")
SILENCE_S = 60


@scenario()
def comes_back_after_internal(trial: Trial) -> None:
    """Reconnect after INTERNAL."""
    server = trial.follow(
        [opened(), batch(1, 3, TOKENS[1]), 0.2, Failure(grpc.StatusCode.INTERNAL, "INTERNAL")]
    )
    came_back(server, 1, TOKENS[1])


@scenario()
def comes_back_after_a_stream_that_just_ends(trial: Trial) -> None:
    """Reconnect when a stream ends with OK and without a goodbye."""
    came_back(trial.follow([opened(), batch(1, 3, TOKENS[1])]), 1, TOKENS[1])


@scenario()
def comes_back_when_the_server_does(trial: Trial) -> None:
    """Reconnect within 4 s to a server that was gone for 3 s and is back on its port."""
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), 60])
    trial.sequences(range(1, 4), 20)
    server.stop()
    # Long enough for the back-off of a channel to grow beyond the second that it may take at most.
    server.wait_for(1, 3)
    again = trial.serve([RESUMED, batch(4, 6, TOKENS[2]), 60], port=server.port)
    came_back(again, 0, TOKENS[1], 4)
    trial.sequences(range(1, 7))


@scenario()
def waits_while_a_server_loads(trial: Trial) -> None:
    """Try again when a starting server has no model yet."""
    loading = Failure(grpc.StatusCode.UNAVAILABLE, "LOADING", retry_s=0.5)
    server = trial.follow([loading], [loading], [opened(), batch(1, 2, TOKENS[1]), 60])
    came_back(server, 2, b"", 15)
    trial.sequences([1, 2])


@scenario()
def waits_as_long_as_retry_info_says(trial: Trial) -> None:
    """Wait as long as RetryInfo says before the next stream."""
    quota = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", retry_s=3)
    server = trial.follow([quota])
    first = came_back(server, 0, b"", 20)
    pause = came_back(server, 1, b"").at - first.at
    assert pause >= 2.7, f"came back after {pause:.1f} s, RetryInfo said 3 s"


@scenario()
def prefers_its_own_token_when_slow(trial: Trial) -> None:
    """Prefer the newest token over that of SLOW_CONSUMER, which is never ahead of it."""
    slow = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER", {"resume_token": "AQEB"})
    came_back(trial.follow([opened(), batch(1, 3, TOKENS[2]), 0.2, slow]), 1, TOKENS[2])


@scenario()
def waits_as_goodbye_says(trial: Trial) -> None:
    """Reconnect after the delay of a goodbye."""
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), goodbye(3)])
    first = came_back(server, 0, b"", 20)
    pause = came_back(server, 1, TOKENS[1]).at - first.at
    # The SDK waits half to all of it, so that not all clients come back at once.
    assert pause >= 1.4, f"came back after {pause:.1f} s, goodbye said 3 s"


@scenario()
def comes_back_at_once_after_a_goodbye_without_delay(trial: Trial) -> None:
    """Reconnect within 2 s after a goodbye that states no delay."""
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), goodbye(0)])
    first = came_back(server, 0, b"", 20)
    pause = came_back(server, 1, TOKENS[1]).at - first.at
    assert pause <= 2, f"came back after {pause:.1f} s"


@scenario()
def notices_a_silent_connection(trial: Trial) -> None:
    """Replace a stream without a message for three heartbeat intervals and a second."""
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), SILENCE_S])
    came_back(server, 0, b"", 20)
    came_back(server, 1, TOKENS[1])


@scenario()
def gives_up_when_its_token_is_revoked(trial: Trial) -> None:
    """Send no token again that the server does not know."""
    _gives_up(trial, Failure(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED"))


@scenario()
def gives_up_without_permission(trial: Trial) -> None:
    """Ask no more for what is not permitted."""
    _gives_up(trial, Failure(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"))


@scenario()
def gives_up_when_its_request_is_wrong(trial: Trial) -> None:
    """Repeat no request that breaks a rule."""
    _gives_up(trial, Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"))


@scenario()
def comes_back_when_its_scopes_changed(trial: Trial) -> None:
    """Reconnect with the same token after TOKEN_CHANGED."""
    changed = Failure(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_CHANGED")
    came_back(trial.follow([opened(), batch(1, 3, TOKENS[1]), 0.2, changed]), 1, TOKENS[1])


@scenario()
def waits_longer_after_each_failure(trial: Trial) -> None:
    """Let the pauses between attempts grow, and try on."""
    server = trial.follow(*[[Failure(grpc.StatusCode.INTERNAL, "INTERNAL")]] * 6)
    assert server.wait_for(5, 60), "gave up"
    times = [received.at for received in server.received()[:6]]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    shown = ", ".join(f"{pause:.1f}" for pause in pauses)
    assert pauses[0] >= 0.08, f"the first pause is too short; pauses: {shown} s"
    assert max(pauses[3:]) > 1.5 * min(pauses[:2]), f"the pauses do not grow: {shown} s"


def _gives_up(trial: Trial, failure: Failure) -> None:
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), 0.2, failure])
    came_back(server, 0, b"", 20)
    assert server.wait_for(1, 4) is None, f"came back after {failure.code.name} {failure.reason}"
