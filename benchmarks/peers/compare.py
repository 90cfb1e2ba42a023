"""Measure the same network behind other servers and behind Glasstape, under the same load, in alternating rounds.

Each peer is started, checked (its logits of known windows must equal those of the network called directly),
measured and stopped; Glasstape is measured in the same rounds.
"""

import contextlib
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from glasstape_server.bench.calls import CASES, request_of, servers
from glasstape_server.bench.load import Load, LoadResult, call, post
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios

from benchmarks.peers.environments import python_of
from benchmarks.peers.kinds import PEERS, Endpoint, Peer
from benchmarks.peers.running import ask, known_windows, running

PREDICT, EXPLAIN = "Predict", "Explain (GRADIENT)"
OURS = ("native", "grpcio")

Measured = dict[tuple[str, str, str], list[LoadResult]]
"""By call, case and server: one result per round. Those of Glasstape hold the rounds of every peer, in order."""


@dataclass(frozen=True)
class Called:
    """An endpoint and the messages that the load sends to it."""

    address: str
    path: str
    messages: Mapping[int, bytes]
    """By the number of windows."""
    http: str = ""
    answers: Mapping[int, int] = field(default_factory=dict)
    """Response sizes in bytes, by the number of windows; HTTP only."""

    def load(self, case: str, seconds: float) -> LoadResult:
        """Make calls of one case."""
        windows, connections, in_flight = CASES[case]
        message = self.messages[windows]
        if self.http:  # HTTP/1.1 carries one call at a time on a connection
            load = Load(connections * in_flight, 1, seconds)
            return post(self.address, self.path, message, self.http, self.answers[windows], load)
        return call(self.address, self.path, message, Load(connections, in_flight, seconds))


def run(
    names: Collection[str], folder: Path, rounds: int, seconds: float, *, quick: bool = False
) -> BenchmarkReport:
    """Install, start, check and measure every chosen peer.

    Args:
        names: of peers; empty: all.
        folder: of their virtual environments; several gigabytes.
        rounds: measurements of each case.
        seconds: of one measurement.
        quick: one round of the first case, without warm-up.

    Raises:
        ValueError: an unknown peer, one that cannot be installed or started, or a wrong answer.
    """
    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        raise ValueError(f"peers: {', '.join(unknown)}: there are {', '.join(PEERS)}")
    chosen = [PEERS[name] for name in (names or PEERS)]
    cases = list(CASES)[: 1 if quick else None]
    measured: Measured = {}
    with servers() as addresses:
        ours = {name: address for name, address in addresses.items() if name in OURS}
        for peer in chosen:
            _measure(measured, peer, folder, ours, cases, 1 if quick else rounds, seconds)
    return _report(measured, chosen, list(ours), cases, rounds, seconds)


def _measure(
    measured: Measured,
    peer: Peer,
    folder: Path,
    ours: Mapping[str, str],
    cases: Collection[str],
    rounds: int,
    seconds: float,
) -> None:
    """Add the rounds of one peer and those of Glasstape beside it."""
    python = python_of(peer.name, peer.requirements, folder)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glasstape-peer-")))
        predict, explain = stack.enter_context(running(peer, python, home))
        endpoints = {PREDICT: {peer.name: _theirs(peer.predict, predict)}}
        if peer.explain:
            endpoints[EXPLAIN] = {peer.name: _theirs(peer.explain, explain)}
        for what, called in endpoints.items():
            called |= {name: _ours(address, explain=what == EXPLAIN) for name, address in ours.items()}
            for lap in range(rounds + 1):  # the first lap warms
                for case in cases:
                    for name, endpoint in called.items():
                        answered = endpoint.load(case, seconds if lap else min(1, seconds))
                        if lap:
                            measured.setdefault((what, case, name), []).append(answered)


def _theirs(endpoint: Endpoint, address: str) -> Called:
    messages = {count: endpoint.message(known_windows(count)) for count, _, _ in CASES.values()}
    sizes = (
        {n: len(ask(endpoint, address, message)) for n, message in messages.items()} if endpoint.http else {}
    )
    return Called(address, endpoint.path, messages, endpoint.http, sizes)


def _ours(address: str, *, explain: bool) -> Called:
    calls = {count: request_of(explain=explain, count=count) for count, _, _ in CASES.values()}
    return Called(address, calls[1][0], {count: message for count, (_, message) in calls.items()})


def _report(
    measured: Measured,
    chosen: Collection[Peer],
    ours: Collection[str],
    cases: Collection[str],
    rounds: int,
    seconds: float,
) -> BenchmarkReport:
    figures = []
    for what in (PREDICT, EXPLAIN):
        peers = [peer.name for peer in chosen if any((what, case, peer.name) in measured for case in cases)]
        for case in cases if peers else ():
            alone = CASES[case][2] == 1
            unit = "ms" if alone else "/s"
            head = f"{what}, {case}, {'p50' if alone else 'calls'}"
            theirs = {name: _values(measured[what, case, name], alone=alone) for name in peers}
            figures += [Measurement(f"{head}: {name}", unit, values) for name, values in theirs.items()]
            for name in ours:
                values = _values(measured[what, case, name], alone=alone)
                shares = np.array_split(np.array(values), len(peers))
                of_each = {
                    peer: ratios(share.tolist(), theirs[peer])
                    for peer, share in zip(peers, shares, strict=True)
                }
                figures.append(Measurement(f"{head}: **glasstape, {name}**", unit, values, of_each))
    how = (
        f"{rounds} rounds of {seconds:g} s, one peer at a time in turns with ours, the same network behind each, "
        "servers and h2load on one machine, plaintext; litserve and ray over HTTP/1.1, as TorchServe explains. "
        f"Peers: {', '.join(requirement for peer in chosen for requirement in peer.requirements[:1])}."
    )
    return BenchmarkReport("Peers", how, figures)


def _values(answers: Collection[LoadResult], *, alone: bool) -> list[float]:
    return [1e3 * found.p50 if alone else found.per_second for found in answers]
