"""Each distribution, installed with nothing but what it declares."""

import signal
import subprocess

import pytest
from glasstape.testing import FakeServer

LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


@pytest.fixture
def sdk(install):
    return install("glasstape")


@pytest.fixture
def server(install):
    return install("glasstape-server")


@pytest.fixture
def desktop(install):
    return install("glasstape-desktop")


def test_the_sdk_imports_and_has_neither_server_nor_desktop(sdk):
    done = sdk.run("python", "-c", f"from glasstape import Client, AsyncClient; {LOADED}")
    assert done.returncode == 0, done.stderr
    assert not {"torch", "PyQt6", "glasstape_server", "glasstape_qt"} & set(done.stdout.split())
    for package in ("glasstape_server", "glasstape_qt"):
        assert "ModuleNotFoundError" in sdk.run("python", "-c", f"import {package}").stderr


def test_the_sdks_fake_server_answers_its_client(sdk):
    code = """
from glasstape import Client
from glasstape.testing import FakeServer, make_buy
with FakeServer() as server, Client(server.address) as client:
    server.emit(make_buy("AAPL"))
    print(next(iter(client.signals(start="earliest"))).symbol)
"""
    done = sdk.run("python", "-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, "AAPL"), done.stderr


def test_the_sdks_command_names_the_extras_of_what_is_missing(sdk):
    overview = sdk.run("glasstape", "--help")
    assert overview.returncode == 0, overview.stderr
    assert "serve      (requires glasstape[server])" in overview.stdout
    assert "desk       (requires glasstape[desktop])" in overview.stdout
    assert "watch      follow" in overview.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["serve"], "server"),
        (["bench", "predict"], "server"),
        (["desk"], "desktop"),
        (["models", "--server"], "cli"),
    ],
)
def test_a_missing_extra_is_one_sentence(sdk, arguments, extra):
    with FakeServer() as server:
        done = sdk.run("glasstape", *arguments, *([server.address] if "--server" in arguments else []))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"pip install 'glasstape[{extra}]'")
    assert "Traceback" not in done.stderr


def test_the_server_starts_without_the_desktop(server):
    assert "--data-dir" in server.run("glasstape", "serve", "--help").stdout
    assert "ModuleNotFoundError" in server.run("python", "-c", "import glasstape_qt").stderr
    command = [
        str(server.scripts / "glasstape"),
        "serve",
        "--port",
        "0",
        "--data-dir",
        str(server.folder / "data"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("serving on 127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err


def test_the_desktop_opens_without_the_server(desktop):
    done = desktop.run("python", "-c", f"import glasstape_qt.app; {LOADED}")
    assert done.returncode == 0, done.stderr
    assert not {"torch", "glasstape_server"} & set(done.stdout.split())
    assert "--profile" in desktop.run("glasstape", "desk", "--help").stdout
    shown = desktop.run("glasstape", "desk", "--profile", "demo", "--for", "2s")
    assert shown.returncode == 0, shown.stderr
    assert "glasstape[server]" in desktop.run("glasstape", "serve").stderr
