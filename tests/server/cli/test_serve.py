"""`glasstape serve`: what it refuses, and where its settings come from."""

import subprocess
import sys

import pytest
from glasstape_server.settings import load
from running import refusal


@pytest.mark.parametrize(
    ("flag", "value", "text"),
    [
        ("--port", "99999", "port"),
        ("--interval", "2d", "interval"),
        ("--host", "0.0.0.0", "--insecure"),
        ("--config", "none.toml", "no such file"),
        ("--replay-speed", "inf", "replay_speed"),
        ("--replay-time-zone", "Mars/Base", "replay_time_zone"),
    ],
)
def test_serve_refuses_settings_that_break_a_rule(tmp_path, flag, value, text):
    status, said = refusal(tmp_path, flag, value)
    assert status in (1, 2)
    assert text in said


@pytest.mark.parametrize(
    ("flag", "value", "text"),
    [
        ("--models-dir", "empty", "no usable model"),
        ("--replay", "no.csv", "no.csv"),
        ("--model", "nope", "none named 'nope'"),
    ],
)
def test_serve_refuses_what_it_cannot_do(tmp_path, flag, value, text):
    given = str(tmp_path / value) if flag != "--model" else value
    status, said = refusal(tmp_path / "data", flag, given)
    assert status == 1
    assert text in said


def test_a_refusal_to_serve_ends_the_command_in_words(tmp_path):
    command = [sys.executable, "-m", "glasstape.cli", "serve", "--data-dir", str(tmp_path), "--port", "0"]
    result = subprocess.run([*command, "--model", "nope"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("glasstape serve: no usable model for 1d bars")
    assert "Traceback" not in result.stderr


def test_settings_come_from_flags_over_environment_over_file(tmp_path, monkeypatch):
    (tmp_path / "server.toml").write_text('port = 1\nhost = "::1"\nlog_level = "error"\n')
    monkeypatch.setenv("GLASSTAPE_PORT", "2")
    monkeypatch.setenv("GLASSTAPE_LOG_LEVEL", "warning")
    made = load({"port": 3}, tmp_path / "server.toml")
    assert (made.port, made.log_level, made.host) == (3, "warning", "::1")
    (tmp_path / "server.toml").write_text("prot = 1\n")
    with pytest.raises(ValueError, match="prot"):
        load({}, tmp_path / "server.toml")


@pytest.mark.parametrize(
    ("flags", "host", "port"),
    [
        ({"host": "[::1]"}, "::1", 50551),
        ({"host": "[::1]:50720"}, "::1", 50720),
        ({"host": "127.0.0.1:7", "port": "7"}, "127.0.0.1", 7),
        ({"host": "localhost", "port": "0"}, "localhost", 0),
        ({"host": "unix:/run/x.sock"}, "unix:/run/x.sock", 50551),
        ({"host": "unix:///run/x.sock"}, "unix:/run/x.sock", 50551),
    ],
)
def test_a_host_is_read_in_the_form_that_is_printed(flags, host, port):
    settings = load(flags)
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        ({"host": "http://localhost"}, "host: must be a name or an IP address without a port"),
        ({"host": ""}, "host: must be a name or an IP address"),
        ({"metrics_host": "[::1]:5"}, "metrics_host: must be a name or an IP address without a port"),
        ({"host": "unix:"}, "host: must have a path"),
        ({"host": "unix:/a,/b"}, "without a comma"),
        ({"host": "unix:/" + "x" * 120}, "must have a path of up to"),
        (
            {"host": "unix:/run/x", "port": "8"},
            "host: unix:/run/x has no port, and port is 8; set one of them",
        ),
        ({"metrics_host": "unix:/run/x"}, "metrics_host: must be a name or an IP address without a port"),
        ({"host": "127.0.0.1:7", "port": "8"}, "host: has port 7, and port is 8; set one of them"),
    ],
)
def test_a_host_that_is_none_is_refused(flags, rule):
    with pytest.raises(ValueError, match=rule):
        load(flags)
