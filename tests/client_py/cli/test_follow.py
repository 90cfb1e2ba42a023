"""`glasstape follow` and `fetch` as commands, with a source that a test installs."""

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from importlib.metadata import EntryPoint

import grpc
import pytest
import trustme
from glasstape import PermissionDeniedError
from glasstape.cli import main
from glasstape.sources import CredentialsError, registry
from glasstape.testing import FakeServer
from scripted_source import MINUTE, START, ScriptedSource, minute_bar
from simulated_time import SimulatedTime


class Scripted(ScriptedSource):
    """Two symbols with 200 minutes."""

    @classmethod
    def add_arguments(cls, parser):
        parser.add_argument("--fail", action="store_true", help="refuse the credentials")

    @classmethod
    def from_options(cls, options):
        if options.fail:
            raise CredentialsError("credentials of scripted: KEY not found")
        bars = [minute_bar(symbol, minute) for symbol in ("A", "B") for minute in range(1, 201)]
        return cls(SimulatedTime(START + 200 * MINUTE, 1), *bars)


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    sys.modules["scripted_market"] = sys.modules[__name__]
    entry = EntryPoint("scripted", "scripted_market:Scripted", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry])
    yield
    del sys.modules["scripted_market"]


@contextmanager
def _terminated_when(condition):
    """Send SIGTERM to this process once a condition holds, unless the block has ended."""
    ended = threading.Event()

    def wait():
        while not ended.wait(0.01):
            if condition():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_follow_publishes_until_it_is_terminated(tmp_path):
    health = tmp_path / "health.json"
    with FakeServer() as server, _terminated_when(lambda: len(server.published) >= 400):
        status = main(
            ["follow", "scripted", "A", "B", "--server", server.address, "--for", "60s", "--health-file", str(health),
             "--since", "2026-01-05"]
        )  # fmt: skip
    assert status == 0
    assert len(server.published) == 400
    found = json.loads(health.read_text())
    assert (found["state"], found["bars"]["backfill"]) == ("stopped", 280)
    assert found["last_close"]["A"] > (START + 139 * MINUTE).isoformat()


def test_a_refused_caller_ends_with_status_2(capsys):
    with FakeServer() as server:
        server.fail("PublishBars", PermissionDeniedError("the token lacks the scope publish"))
        assert main(["follow", "scripted", "A", "--server", server.address]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "glasstape follow: the token lacks the scope publish"


def test_missing_credentials_end_with_status_2(capsys):
    assert main(["follow", "scripted", "A", "--fail"]) == 2
    assert capsys.readouterr().err == "glasstape follow: credentials of scripted: KEY not found\n"


def test_the_sources_and_their_options_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["follow", "--help"])
    assert "scripted" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["follow", "scripted", "--help"])
    assert "--fail" in capsys.readouterr().out


def test_fetch_writes_history_and_instruments(tmp_path, capsys):
    out = tmp_path / "history.csv"
    assert (
        main(["fetch", "scripted", "A", "B", "--interval", "1m", "--since", "2026-01-05", "--out", str(out)])
        == 0
    )
    lines = out.read_text().splitlines()
    assert len(lines) == 401
    assert lines[:2] == [
        "symbol,close_time,open,high,low,close,volume", "A,2026-01-05T00:01:00+00:00,100.0,200.0,1.0,100.0,1.0",
    ]  # fmt: skip
    assert "Name of B" in (tmp_path / "history.instruments.csv").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "history.instruments.csv"]
    assert "A: 200 bars until 2026-01-05T03:20+00:00" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--out", "x.txt"], "--out: must end in .csv or .parquet, is 'x.txt'"),
        (
            ["--out", "x.csv", "--until", "2025-01-01"],
            "--until: must be after --since (2026-01-05 00:00:00+00:00), is",
        ),
    ],
)
def test_fetch_refuses_wrong_options(arguments, text, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", "scripted", "A", "--since", "2026-01-05", *arguments]) == 2
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_date_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["fetch", "scripted", "A", "--since", "5.1.2026", "--out", "x.csv"])
    assert "--since: must be a date or time in ISO 8601, is '5.1.2026'" in capsys.readouterr().err


def test_a_cause_that_lasts_ends_with_status_2(capsys):
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    pair = (own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())
    with FakeServer(credentials=grpc.ssl_server_credentials([pair])) as server:
        assert main(["follow", "scripted", "A", "--server", server.address, "--for", "30s"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"glasstape follow: {server.address}: the server requires TLS: connect with tls"
