"""`glasstape doctor`: diagnose an installation, server, model or CSV file.

Further checks are entry points, so that the server adds its own: modules with `check(options) -> findings` and
`add_arguments(parser)`.
"""

import argparse
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from glasstape._proxy import proxy_for
from glasstape.address import Address
from glasstape.cli.connect import add_json, add_server, print_json, tls_of, token_of
from glasstape.cli.installation import Finding, check_installation
from glasstape.cli.probe import place_of, probe, probe_proxy
from glasstape.cli.tls_files import TlsFiles
from glasstape.symbols import case_twins, lost_zeros

if TYPE_CHECKING:
    from glasstape import Client, GlasstapeError, Health, Heartbeat, Instrument

HELP = "diagnose an installation, server, model or CSV file"

GROUP = "glasstape.checks"
CONTRACT = "1"
"""Major version of the contract that this package speaks."""
HEARTBEAT_LIMIT_S = 5.0
"""Longest time until the first heartbeat of a stream."""
_DATA_STATES = {
    "delayed": ": the next bar is overdue",
    "stale": ": the last two due bars did not arrive; check that the publisher runs",
    "empty": ": the server has no bars; publish some",
    "replay": ": history on a simulated clock",
}


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
    findings = [*check_installation()]
    usable = all(kind != "problem" for kind, _ in findings)
    if usable:
        findings.append(_protobuf())
    if not options.offline and usable:
        findings += _connection(options)
    if not options.offline and all(kind != "problem" for kind, _ in findings):
        findings += _server(options)
    for entry in entry_points(group=GROUP):
        findings += entry.load().check(options)
    for kind, text in findings:
        if options.json:
            print_json({"finding": kind, "text": text})
        else:
            print(f"{kind:<8} {text}")
    return int(any(kind == "problem" for kind, _ in findings))


def _protobuf() -> Finding:
    from google.protobuf.internal import api_implementation

    kind = api_implementation.Type()
    if kind == "upb":
        return "ok", "protobuf runs on upb"
    return "warning", f"protobuf runs on {kind}: slow, and without a recursion limit; reinstall protobuf"


def _connection(options: argparse.Namespace) -> Iterator[Finding]:
    """Probe name, port and TLS. Through a proxy and for addresses that only gRPC knows, its call shows them."""
    try:
        proxy = proxy_for(Address.parse(options.server))
    except ValueError:
        return  # the client reports it
    if proxy is not None:
        yield probe_proxy(proxy)
        return
    endpoint = place_of(options.server)
    if endpoint is None:
        return
    files = TlsFiles(options.root_certificates, options.client_key, options.client_certificate)
    secured = options.tls or any((files.roots, files.key, files.chain))
    yield from probe(endpoint, files if secured else None)


def _server(options: argparse.Namespace) -> Iterator[Finding]:
    from glasstape import AuthenticationError, Client, GlasstapeError

    address = options.server
    try:
        token = token_of(options)
        with Client(address, timeout=3.0, tls=tls_of(options), token=token) as client:
            health = client.health()
            if not health.reachable:
                yield "problem", f"{address}: {'; '.join(health.reasons)}"
                return
            yield from _reasons(health)
            if health.serving:
                yield "ok", f"{address}: serving"
            try:
                yield from _contents(client)
            except AuthenticationError as error:
                yield _unauthenticated(error, has_token=token is not None)
    except GlasstapeError as error:
        reason = f" ({error.reason})" if error.reason else ""
        yield "problem", f"{address}: {error.code}{reason}: {error}{_remedy(error)}"
    except (OSError, ValueError) as error:
        yield "problem", str(error)


def _contents(client: "Client") -> Iterator[Finding]:
    """Check the contract, models, instruments and market data of a server.

    Raises:
        GlasstapeError: a call failed.
    """
    from glasstape import ModelState

    info = client.server_info()
    ours = info.contract_version.partition(".")[0] == CONTRACT
    yield (
        "ok" if ours else "problem",
        f"server {info.server_version}, contract {info.contract_version}"
        + (
            ""
            if ours
            else f": this package speaks contract {CONTRACT}; install the server's version of glasstape"
        ),
    )
    for model in client.models(view="basic"):
        if model.state is ModelState.REFUSED:
            yield "warning", f"model {model.ref.name}@{model.ref.version} is refused: {model.refusal}"
    yield from _instruments(client.instruments())
    beat = _heartbeat(client)
    skew = (datetime.now(UTC) - beat.server_time).total_seconds()
    yield "ok" if abs(skew) < 2 else "warning", f"clock skew {skew:+.1f} s"
    state = beat.data_state.value
    yield "warning" if state == "stale" else "ok", f"market data is {state}{_DATA_STATES.get(state, '')}"


def _heartbeat(client: "Client") -> "Heartbeat":
    """Return the first heartbeat of a stream.

    Raises:
        DeadlineError: it had no heartbeat.
        GlasstapeError: the stream failed, also if another attempt may succeed.
    """
    from glasstape import DeadlineError, Disconnected, Heartbeat

    with client.signals(start="live", heartbeat_interval=0.2) as stream:
        limit = threading.Timer(HEARTBEAT_LIMIT_S, stream.close)
        limit.start()
        try:
            for message in stream.messages():
                if isinstance(message, Heartbeat):
                    return message
                if isinstance(message, Disconnected):
                    raise message.error
        finally:
            limit.cancel()
    raise DeadlineError(f"Signals: no heartbeat within {HEARTBEAT_LIMIT_S:g} s")


def _unauthenticated(error: "GlasstapeError", *, has_token: bool) -> Finding:
    """Return the finding of missing or rejected credentials. Without a token, the server itself is not at fault."""
    if has_token:
        return "problem", f"the token is rejected: {error}; create one with `glasstape tokens create`"
    return "warning", "the server requires a token: --token-file FILE also checks its models and market data"


def _remedy(error: "GlasstapeError") -> str:
    if error.code == "UNIMPLEMENTED":
        return ": the server does not serve glasstape.v1; check --server"
    if error.reason == "SCOPE_MISSING":
        return "; create a token with this scope by `glasstape tokens create`"
    return ""


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
