"""Scenarios of a client that follows the feed: rule 7 of docs/contract.md."""

import grpc

from glasstape.conformance.messages import (
    OTHER_EPOCH,
    TOKENS,
    batch,
    event,
    gap,
    heartbeat,
    heatmaps,
    model,
    opened,
)
from glasstape.conformance.scenario import Trial, came_back, scenario
from glasstape.conformance.scripted import Failure, free_port
from glasstape.v1 import signals_pb2

RESUMED = opened(signals_pb2.OPEN_RESULT_RESUMED)
DRAINING = Failure(grpc.StatusCode.UNAVAILABLE, "DRAINING")
UNKNOWN_BODY = bytes([0x9A, 0x06, 0x02, 0x08, 0x01])
"""Field 99 of a message, which no contract has."""
BIG_EVENTS = 80_000
"""Events of a message of about 6 MiB: more than the 4 MiB that most libraries accept by default."""


@scenario()
def resumes_behind_the_last_token(trial: Trial) -> None:
    """Send the newest token when a stream has ended, and print each event once."""
    server = trial.follow(
        [opened(), batch(1, 3, TOKENS[1]), batch(4, 6, TOKENS[2]), 0.3, DRAINING],
        [RESUMED, batch(7, 9, TOKENS[3])],
    )
    came_back(server, 1, TOKENS[2])
    trial.sequences(range(1, 10))


@scenario()
def begins_without_a_token(trial: Trial) -> None:
    """Begin the first stream without a token."""
    came_back(trial.follow([opened(), heartbeat()]), 0, b"", 20)


@scenario()
def keeps_its_token_when_one_is_empty(trial: Trial) -> None:
    """Keep the stored token when a message carries none."""
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), batch(4, 6, b""), heartbeat(), 0.3, DRAINING])
    came_back(server, 1, TOKENS[1])


@scenario()
def takes_the_token_of_a_heartbeat(trial: Trial) -> None:
    """Store the token of every message, that of heartbeats too."""
    server = trial.follow([opened(), batch(1, 3, TOKENS[1]), heartbeat(TOKENS[2]), 0.3, DRAINING])
    came_back(server, 1, TOKENS[2])


@scenario()
def takes_the_token_of_a_gap(trial: Trial) -> None:
    """Go on after a declared loss, behind it."""
    server = trial.follow(
        [opened(), batch(1, 3, TOKENS[1]), gap(4, 6, TOKENS[2]), batch(7, 8, b""), 0.3, DRAINING]
    )
    came_back(server, 1, TOKENS[2])
    trial.sequences([1, 2, 3, 7, 8])


@scenario()
def goes_on_after_heat_maps(trial: Trial) -> None:
    """Take heat maps of earlier events between batches; they carry no token and are no events."""
    server = trial.follow(
        [opened(), batch(1, 3, TOKENS[1]), heatmaps([2, 3]), batch(4, 5, TOKENS[2]), 0.3, DRAINING]
    )
    came_back(server, 1, TOKENS[2])
    trial.sequences(range(1, 6))


@scenario(needs="{token}")
def resumes_after_it_was_killed(trial: Trial) -> None:
    """Store the token in {token}, where a new process of the client finds it."""
    server = trial.serve([opened(), batch(1, 3, TOKENS[1]), 60], [RESUMED, batch(4, 5, TOKENS[2]), 60])
    client = trial.start(server.address)
    trial.sequences(range(1, 4), 20)
    trial.wait_for_token()
    client.kill()
    client.wait()
    trial.start(server.address)
    came_back(server, 1, TOKENS[1], 20)
    trial.sequences(range(1, 6))


@scenario()
def forgets_its_token_at_reset(trial: Trial) -> None:
    """Drop the token when the history was lost, and take the snapshot."""
    server = trial.follow(
        [opened(), batch(1, 3, TOKENS[1]), 0.2, DRAINING],
        [
            opened(signals_pb2.OPEN_RESULT_RESET, OTHER_EPOCH),
            batch(1, 2, b"", snapshot=True),
            0.2,
            DRAINING,
        ],
    )
    came_back(server, 1, TOKENS[1])
    came_back(server, 2, b"")
    trial.sequences([1, 2, 3, 1, 2])


@scenario()
def goes_on_with_the_earliest_event(trial: Trial) -> None:
    """Drop a token that is too old, and go on with the earliest event or a snapshot."""
    old = Failure(grpc.StatusCode.OUT_OF_RANGE, "TOKEN_TOO_OLD", {"earliest_sequence": "50", "sequence": "3"})
    server = trial.follow(
        [opened(), batch(1, 3, TOKENS[1]), 0.2, DRAINING], [old], [opened(), batch(50, 52, TOKENS[2]), 60]
    )
    came_back(server, 1, TOKENS[1])
    request = came_back(server, 2, b"").request
    starts = signals_pb2.SignalsRequest
    allowed = (starts.START_EARLIEST, starts.START_SNAPSHOT, starts.START_UNSPECIFIED)
    assert request.start in allowed, "began with START_LIVE: what happened since would be missing"
    trial.sequences([1, 2, 3, 50, 51, 52])


@scenario()
def takes_what_a_newer_server_sends(trial: Trial) -> None:
    """Ignore bodies, enum values and fields that the contract does not have yet, and store their tokens."""
    unknown = signals_pb2.SignalsResponse(resume_token=TOKENS[2], through_sequence=5)
    server = trial.follow(
        [
            opened(77),
            batch(1, 3, TOKENS[1]),
            batch(4, 4, b"").SerializeToString() + UNKNOWN_BODY,
            unknown.SerializeToString() + UNKNOWN_BODY,
            0.2,
            DRAINING,
        ]
    )
    came_back(server, 1, TOKENS[2])
    trial.sequences(range(1, 5))


@scenario()
def takes_events_of_several_models(trial: Trial) -> None:
    """Look the model of each event up in the table of its own message."""
    several = signals_pb2.SignalsResponse(resume_token=TOKENS[1], through_sequence=3)
    several.batch.models.extend([model(1), model(2)])
    several.batch.events.extend([event(1), event(2, "MSFT", 1), event(3)])
    other = signals_pb2.SignalsResponse(resume_token=TOKENS[2], through_sequence=4)
    other.batch.models.append(model(3))
    other.batch.events.append(event(4))
    server = trial.follow([opened(), several, other, 0.3, DRAINING])
    came_back(server, 1, TOKENS[2])
    trial.sequences(range(1, 5))
    named = [line["model"] for line in trial.lines() if "model" in line]
    expected = ["model-1", "model-2", "model-1", "model-3"]
    assert not named or named == expected, f"named the models {named}, expected {expected}"


@scenario()
def takes_messages_beyond_4_mib(trial: Trial) -> None:
    """Raise the limit of received messages to 16 MiB."""
    message = batch(1, BIG_EVENTS, TOKENS[1])
    assert 4 << 20 < message.ByteSize() < 16 << 20, "the scenario must send 4-16 MiB"
    server = trial.follow([opened(), message, 1, DRAINING])
    came_back(server, 1, TOKENS[1], 20)
    trial.sequences(range(1, BIG_EVENTS + 1))


@scenario(needs="{action}")
def takes_several_addresses(trial: Trial) -> None:
    """Take addresses that are separated by commas, and use the one that answers."""
    server = trial.serve([opened(), batch(1, 3, TOKENS[1]), 60])
    trial.start(f"127.0.0.1:{free_port()},{server.address}")
    came_back(server, 0, b"", 20)
    trial.sequences([1, 2, 3])
