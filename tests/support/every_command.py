"""Run every command of `glasstape --help` on small inputs, and write the exit status of each to FOLDER/statuses.

    every_command.py FOLDER light|all CONSOLE…

CONSOLE is an encoding of standard output and error, or "locale", which leaves them as they are. FOLDER/CONSOLE holds
bars in `NAME.csv`. With "all", the first console has the commands that compute for seconds, too.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from glasstape import Client
from glasstape.cli import main
from glasstape.testing import FakeServer
from glasstape_server.settings import BUNDLED_MODELS

NAME = "하락 — ×"
"""Characters that no legacy encoding has all of."""
FILE = os.fsdecode(NAME.encode())
"""The same as an argument that names a file: with surrogates where the locale is not Unicode."""
SMALL = ["--arch", "linear", "--epochs", "1"]


def offline(folder: Path) -> Iterator[list[str]]:
    """Yield commands that are given no server; `serve` makes the data of those that follow it."""
    yield ["serve", "--host", f"unix:{folder / 'serve.sock'}", "--data-dir", str(folder / "data")]
    yield ["backup", "--data-dir", str(folder / "data"), "--to", str(folder / FILE)]
    yield ["restore", "--data-dir", str(folder / "restored"), "--from", str(folder / FILE)]
    yield ["restore", "--data-dir", str(folder / "restored"), "--from", str(folder / "missing")]
    yield ["train", *bars_of(folder), "--report"]
    yield ["train", *bars_of(folder), *SMALL, "--out", str(folder / "models")]
    yield ["evaluate", *bars_of(folder), "--arch", NAME]
    yield ["retrain", NAME, *bars_of(folder), "--once", "--models", str(folder / "models")]
    yield ["portfolio", "--model", NAME, "sample", "--market", "us", "--top", "1"]
    yield ["doctor", "--offline", "--check-bars", str(folder / f"{FILE}.csv")]
    yield ["tokens", "create", "--name", NAME, "--scopes", "signals", "--tokens", str(folder / "tokens.json")]
    yield ["tokens", "list", "--tokens", str(folder / "tokens.json")]
    yield ["conformance", "--list"]
    yield ["cluster", "status", "--cluster", "nats://127.0.0.1:1"]
    yield ["bench", "page", str(folder / "missing.md")]
    yield ["runs", "--runs", str(folder)]
    yield ["fetch", NAME]
    yield ["follow", NAME]
    yield ["demo", "--view", NAME]
    yield ["desk", "--session", str(folder / "x.session"), "--for", "0.2s"]


def heavy(folder: Path) -> Iterator[list[str]]:
    """Yield commands that compute for seconds."""
    yield ["train", *bars_of(folder), *SMALL, "--out", str(folder / "models"), "--name", "small"]
    yield ["evaluate", *bars_of(folder), *SMALL, "--folds", "1", "--windows", "200", "--processes", "1",
           "--out", str(folder / "report")]  # fmt: skip
    yield ["portfolio", "--model", str(BUNDLED_MODELS / "sample-conv1d" / "1"), *bars_of(folder)[1:], "--market", "us",
           "--threshold", "0", "--out", str(folder / FILE)]  # fmt: skip
    yield ["demo", "--for", "0.1s", "--view", "text"]


def bars_of(folder: Path) -> list[str]:
    """Return the options of a command that reads the bars."""
    return ["--data", str(folder / f"{FILE}.csv"), "--close", "24:00", "--time-zone", "UTC"]


def with_server(folder: Path, address: str) -> Iterator[list[str]]:
    """Yield commands that call a server."""
    at = ["--server", address]
    file = str(folder / f"{FILE}.csv")
    yield ["publish", file, "--close", "24:00", "--time-zone", "UTC", *at]
    yield ["bars", "list", *at]
    yield ["instruments", "list", *at]
    yield ["instruments", "import", str(folder / "missing.csv"), *at]
    yield ["models", *at]
    yield ["predict", NAME, *at]
    yield ["explain", NAME, *at]
    yield ["importance", "--permutation", "--reference-days", "30", *at]
    yield ["track", *at]
    yield ["watch", "--for", "0.2s", "--view", "table", *at]
    yield ["export", NAME, "--out", str(folder / f"{FILE}.jsonl"), *at]
    yield ["record", str(folder / "x.session"), "--for", "0.2s", *at]
    yield ["doctor", *at]


def stop_when_ready(address: str) -> None:
    """Send this process SIGTERM once the server on an address is ready."""
    with Client(address) as client:
        while not client.ready():
            time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


def run(folder: Path, commands: str) -> dict[str, object]:
    """Return the exit status of each command; what it raises is an error of the test."""
    statuses: dict[str, object] = {}

    def command(arguments: list[str], address: str = "") -> None:
        try:
            status: object = main(arguments)
        except SystemExit as end:
            status = end.code
        except Exception as error:
            status = repr(error)
        line = " ".join(arguments).replace(str(folder), "").removesuffix(f" --server {address}")
        statuses[line.encode("utf-8", "surrogateescape").decode()] = status

    with FakeServer() as server:
        for arguments in with_server(folder, server.address):
            command(arguments, server.address)
    for arguments in (*offline(folder), *(heavy(folder) if commands == "all" else ())):
        if arguments[0] == "serve":
            threading.Thread(target=stop_when_ready, args=(arguments[2],)).start()
        command(arguments)
    return statuses


def on_console(folder: Path, console: str, commands: str) -> dict[str, object]:
    """Return the exit status of each command on a console."""
    if console != "locale":  # as PYTHONIOENCODING sets them
        sys.stdout.reconfigure(encoding=console, errors="strict")
        sys.stderr.reconfigure(encoding=console, errors="backslashreplace")
    return run(folder / console, commands)


if __name__ == "__main__":
    folder, commands, (first, *others) = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    found = {first: on_console(folder, first, commands)}
    found.update({console: on_console(folder, console, "light") for console in others})
    (folder / "statuses").write_text(json.dumps(found), "ascii")
