"""A replay is a history of its own, on a simulated clock, and says so."""

import time
from datetime import UTC, datetime

from glasstape import Client, ConfidenceEvent, DataState, EventBatch, Heartbeat, Opened, OpenResult
from markets import open_market

FLAGS = (
    "--replay",
    "sample",
    "--replay-from",
    "2012-01-01",
    "--replay-to",
    "2012-01-20",
    "--replay-step",
    "0.01",
)


def events_until(client, moment, **wanted):
    """Everything from a stream until the market clock reaches a moment."""
    seen, opened = [], None
    with client.signals(start="earliest", delivery="every_event", heartbeat_interval=0.1, **wanted) as stream:
        for message in stream.messages():
            if isinstance(message, Opened):
                opened = message
            if isinstance(message, EventBatch):
                seen += message.events
            if isinstance(message, Heartbeat):
                assert message.data_state is DataState.REPLAY
                if message.market_time >= moment:
                    return seen, opened, stream.resume_token


def test_a_replay_begins_anew_and_never_touches_the_live_journal(tmp_path, spawn):
    live = spawn(tmp_path)
    with Client(live.address) as client:
        open_market(live, client).close_bar()
        kept = list(client.history())
    live.stop()

    end = datetime(2012, 1, 20, tzinfo=UTC)
    replay = spawn(tmp_path, *FLAGS)
    with Client(replay.address) as client:
        first, opened, token = events_until(client, end)
        replay.stop()
        replay.start()
        second, again, _ = events_until(client, end)
        assert again.epoch != opened.epoch
        stream = client.signals(resume_token=token)
        assert next(iter(stream.messages())).result is OpenResult.RESET
        stream.close()
    replay.stop()
    signals = [e for e in first if isinstance(e, ConfidenceEvent)]
    assert {e.symbol for e in signals} == {"AAPL", "GOOG", "IBM", "MSFT"}
    assert {e.bar_close_time.year for e in signals} == {2012}
    assert {e.signal.data_state for e in signals} == {DataState.REPLAY}
    again_signals = {(e.symbol, e.bar_close_time): e.signal for e in second if isinstance(e, ConfidenceEvent)}
    for event in signals:
        assert again_signals[event.symbol, event.bar_close_time] == event.signal, "a replay repeats itself"

    live.start()
    with Client(live.address) as client:
        assert list(client.history()) == kept
    live.stop()


def test_a_replay_runs_at_the_speed_that_is_asked_for(tmp_path, spawn):
    days = 86_400 * 40  # forty days of market time in a second
    flags = ("--replay", "sample", "--replay-from", "2012-01-01", "--replay-to", "2012-03-31")
    server = spawn(tmp_path, *flags, "--replay-speed", str(days))
    with Client(server.address) as client:
        begun = time.monotonic()
        events_until(client, datetime(2012, 3, 30, 20, tzinfo=UTC))
        assert 1.0 < time.monotonic() - begun < 20
        assert len({e.bar_close_time for e in client.history(kinds=["confidence"])}) == 62
    server.stop()
