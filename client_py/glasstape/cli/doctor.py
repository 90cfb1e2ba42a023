"""`glasstape doctor`: diagnose an installation, server, model or CSV file.

Further checks are entry points, so that the server adds its own: modules with `check(options) -> findings` and
`add_arguments(parser)`.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, print_json, tls_of, token_of
from glasstape.symbols import case_twins, lost_zeros

if TYPE_CHECKING:
    from glasstape import Health, Instrument

HELP = "diagnose an installation, server, model or CSV file"

GROUP = "glasstape.checks"
Finding = tuple[str, str]
"""("ok" | "warning" | "problem", sentence)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command and of every check."""
    parser.epilog = (
        "Exit status: 0 no problem (there may be warnings), 1 a problem was found, 2 invalid arguments."
    )
    add_server(parser)
    add_json(parser)
    parser.add_argument("--offline", action="store_true", help="skip the checks of a server")
    for entry in entry_points(group=GROUP):
        entry.load().add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the selected checks; the exit status is 1 if there is a problem."""
    findings = [*_installation()]
    if not options.offline:
        findings += _server(options)
    for entry in entry_points(group=GROUP):
        findings += entry.load().check(options)
    for kind, text in findings:
        if options.json:
            print_json({"finding": kind, "text": text})
        else:
            print(f"{kind:<8} {text}")
    return int(any(kind == "problem" for kind, _ in findings))


def _installation() -> Iterator[Finding]:
    yield "ok", f"Python {sys.version.split()[0]}, glasstape {version('glasstape')}"
    for line in requires("glasstape") or ():
        name, _, marker = line.partition(";")
        if "extra" in marker or "win32" in marker:
            continue
        yield _package(name.strip())
    for extra, package in (("cli", "rich"), ("server", "torch"), ("desktop", "PyQt6")):
        try:
            yield "ok", f"extra [{extra}]: {package} {version(package)}"
        except PackageNotFoundError:
            yield "ok", f"extra [{extra}] is not installed (pip install 'glasstape[{extra}]')"
    from google.protobuf.internal import api_implementation

    kind = api_implementation.Type()
    yield (
        ("ok", "protobuf runs on upb")
        if kind == "upb"
        else (
            "warning",
            f"protobuf runs on {kind}: slow, and without a recursion limit; reinstall protobuf",
        )
    )


def _package(requirement: str) -> Finding:
    name = requirement.split(">=")[0].strip()
    least = requirement.partition(">=")[2].strip()
    try:
        have = version(name)
    except PackageNotFoundError:
        return "problem", f"{name} is missing: pip install '{requirement}'"
    if least and _numbers(have) < _numbers(least):
        return "problem", f"{name} {have} is too old: pip install '{requirement}'"
    return "ok", f"{name} {have}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())


def _server(options: argparse.Namespace) -> Iterator[Finding]:
    address = options.server
    from glasstape import Client, GlasstapeError, Heartbeat, ModelState

    try:
        with Client(address, timeout=3.0, tls=tls_of(options), token=token_of(options)) as client:
            health = client.health()
            if not health.reachable:
                yield "problem", f"{address}: unreachable (proxy variables: {_proxies() or 'none'})"
                return
            yield from _reasons(health)
            if health.serving:
                yield "ok", f"{address}: serving"
            info = client.server_info()
            yield "ok", f"server {info.server_version}, contract {info.contract_version}"
            for model in client.models(view="basic"):
                if model.state is ModelState.REFUSED:
                    yield (
                        "warning",
                        f"model {model.ref.name}@{model.ref.version} is refused: {model.refusal}",
                    )
            yield from _instruments(client.instruments())
            stream = client.signals(start="live", heartbeat_interval=0.2)
            with stream:
                beat = next(message for message in stream.messages() if isinstance(message, Heartbeat))
            skew = (datetime.now(UTC) - beat.server_time).total_seconds()
            kind = "ok" if abs(skew) < 2 else "warning"
            yield kind, f"clock skew {skew:+.1f} s"
            state = beat.data_state.value
            meaning = {
                "delayed": ": the next bar is overdue",
                "stale": ": the last two due bars did not arrive; check that the publisher runs",
                "empty": ": the server has no bars; publish some",
                "replay": ": history on a simulated clock",
            }.get(state, "")
            yield "warning" if state == "stale" else "ok", f"market data is {state}{meaning}"
    except GlasstapeError as error:
        yield "problem", f"{address}: {error.code}: {error}"
    except (OSError, ValueError) as error:
        yield "problem", str(error)


def _instruments(instruments: "Sequence[Instrument]") -> Iterator[Finding]:
    """Yield signs of damaged symbols, and unknown time zones."""
    symbols = [item.symbol for item in instruments]
    for warning in (*case_twins(symbols), *lost_zeros(symbols)):
        yield "warning", warning
    assumed = [item.symbol for item in instruments if "time_zone" in item.assumed]
    if assumed:
        examples = ", ".join(assumed[:3]) + (f" and {len(assumed) - 3} more" if len(assumed) > 3 else "")
        yield (
            "warning",
            f"time_zone of {examples} is not known: trading days are days of UTC; "
            "state it with `glasstape instruments import`",
        )


def _reasons(health: "Health") -> Iterator[Finding]:
    for reason in health.reasons:
        yield "warning" if health.serving else "problem", reason


def _proxies() -> str:
    """Return the proxy variables that are set: grpc applies them to local servers too."""
    names = ("http_proxy", "https_proxy", "grpc_proxy")
    return ", ".join(name for name in names if os.environ.get(name) or os.environ.get(name.upper()))
