"""The scenarios pass for the SDK, and fail for clients that break a rule."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from effort import effort
from glasstape.cli import main
from glasstape.conformance import ordered, run

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "python" / "client.py"
CLIENT = (
    f"{shlex.quote(sys.executable)} {shlex.quote(str(EXAMPLE))} {{address}} {{action}} {{token}} {{seconds}}"
)
AT_ONCE = 8
NAMES = [each.name for each in ordered()]
SYNC = effort(tuple(NAMES[::2]), tuple(NAMES))
ASYNC = effort(("resumes_behind_the_last_token", "forgets_its_token_at_reset"), tuple(NAMES))


def failures(command, only=()):
    verdicts = list(run(command, only, AT_ONCE))
    assert [v.scenario.name for v in verdicts] == [name for name in NAMES if not only or name in only]
    return {v.scenario.name: v.failure for v in verdicts if v.failure or v.skipped}


def test_there_are_enough_scenarios_and_each_says_what_a_client_must_do():
    assert len(NAMES) >= 30
    assert all(each.text.endswith(".") for each in ordered())


def test_the_client_of_the_sdk_conforms():
    assert failures(CLIENT, SYNC) == {}


def test_the_client_on_an_event_loop_conforms():
    assert failures(f"{CLIENT} --async", ASYNC) == {}


@pytest.fixture
def naive(tmp_path):
    """A client that prints each message's events, stores no token, reconnects at once and for ever."""
    file = tmp_path / "naive.py"
    file.write_text(
        "import sys, time, grpc\n"
        "from glasstape.v1 import signals_pb2 as pb, signals_pb2_grpc\n"
        "channel = grpc.insecure_channel(sys.argv[1])\n"
        "stub = signals_pb2_grpc.SignalServiceStub(channel)\n"
        "while True:\n"
        "    try:\n"
        "        for message in stub.Signals(pb.SignalsRequest(), wait_for_ready=True):\n"
        "            for event in message.batch.events:\n"
        "                print(event.sequence, flush=True)\n"
        "    except grpc.RpcError:\n"
        "        time.sleep(0.3)\n"
    )
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(file))} {{address}}"


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        ("resumes_behind_the_last_token", "with token none, expected 2"),
        ("gives_up_when_its_token_is_revoked", "came back after UNAUTHENTICATED"),
        ("waits_as_long_as_retry_info_says", "RetryInfo said 3 s"),
        ("waits_as_goodbye_says", "goodbye said 3 s|with token none"),
        ("takes_messages_beyond_4_mib", "with token none|printed events"),
        ("takes_several_addresses", "the command has no"),
    ],
)
def test_a_client_that_breaks_a_rule_fails_its_scenario(naive, scenario, text):
    import re

    (verdict,) = run(naive, [scenario])
    assert re.search(text, verdict.failure or verdict.skipped)


def test_the_command_prints_each_verdict(naive, capsys):
    assert main(["conformance", naive, "begins_without_a_token", "gives_up_without_permission"]) == 1
    out = capsys.readouterr().out
    assert "begins_without_a_token" in out
    assert "FAILED: came back after PERMISSION_DENIED SCOPE_MISSING" in out
    assert "1 of 2 scenarios passed" in out
    assert main(["conformance", "--json", naive, "begins_without_a_token"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["scenario"], said["failure"]) == ("begins_without_a_token", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["client"], "command: must have the placeholder {address}"),
        (["client {adress}"], "has another: 'adress'"),
        (["client {address}", "nothing"], "scenario: must be one of"),
        (["/no/such/client {address}", "begins_without_a_token"], "/no/such/client"),
        ([], "command: must be given"),
    ],
)
def test_what_cannot_be_run_is_named(words, text, capsys):
    assert main(["conformance", *words]) == 2
    assert text in capsys.readouterr().err
