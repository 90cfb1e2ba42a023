"""`glasstape cluster`: the state of the servers that share one feed."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, print_json

from glasstape_server.cli.arguments import nonempty_path

if TYPE_CHECKING:
    from glasstape_server.cluster.status import ClusterStatus
    from glasstape_server.settings import Settings

HELP = "Show members, leader, lag and streams of a cluster"
OPTIONS = ("cluster", "cluster_name", "cluster_credentials", "cluster_authorities")
"""Settings of the server that say which cluster it is."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    status = actions.add_parser("status", help="print the state; exit status 1 if there is a problem")
    add_cluster_options(status)
    add_json(status)


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add the settings that name a cluster; those that are absent are taken from file and environment."""
    parser.add_argument("--config", type=nonempty_path, help="TOML file of settings")
    parser.add_argument("--cluster", metavar="BROKERS", help="brokers, nats://HOST:PORT,…")
    parser.add_argument("--cluster-name", metavar="NAME", help="name of the cluster (default: glasstape)")
    parser.add_argument("--cluster-credentials", metavar="FILE", help="credentials file of the brokers' user")
    parser.add_argument(
        "--cluster-authorities", metavar="FILE", help="PEM file of the brokers' certificate authorities"
    )


def run(options: argparse.Namespace) -> int:
    """Print the state of a cluster; return the exit status."""
    try:
        status = read(options)
    except ClusterError as error:
        print(f"glasstape cluster status: {error}", file=sys.stderr)
        return error.status
    from glasstape_server.cluster.status import findings

    found = list(findings(status))
    if options.json:
        print_json({**asdict(status), "findings": [{"finding": kind, "text": text} for kind, text in found]})
    else:
        _print(status)
        for kind, text in found[1:]:
            print(f"{kind:<8} {text}")
    return int(any(kind == "problem" for kind, _ in found))


class ClusterError(Exception):
    """The state of a cluster cannot be read; the text gives the cause."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status
        """Exit status of the command."""


def read(options: argparse.Namespace) -> "ClusterStatus":
    """Return the state of the cluster that arguments, file and environment name.

    Raises:
        ClusterError: they name none, or it cannot be read.
    """
    settings = _settings(options)
    try:
        from glasstape_server.broker.connection import BrokerRefused, BrokerUnavailable
        from glasstape_server.cluster.member import cluster_settings
        from glasstape_server.cluster.status import read_status
    except ImportError:
        raise ClusterError("needs the extra cluster: pip install 'glasstape[cluster]'") from None
    cluster = cluster_settings(settings)
    try:
        return asyncio.run(read_status(cluster.access, cluster.names))
    except (BrokerUnavailable, BrokerRefused, OSError) as error:
        raise ClusterError(str(error)) from None


def _settings(options: argparse.Namespace) -> "Settings":
    from glasstape_server.settings import load

    flags = {name: getattr(options, name) for name in OPTIONS}
    try:
        settings = load({name: value for name, value in flags.items() if value is not None}, options.config)
    except (ValueError, OSError) as error:
        raise ClusterError(str(error), 2) from None
    if not settings.cluster:
        raise ClusterError("--cluster: must name the brokers, nats://HOST:PORT", 2)
    return settings


def _print(status: "ClusterStatus") -> None:
    print(f"cluster {status.cluster_id}, signals of {status.interval} bars")
    rows = [("MEMBER", "ROLE", "STATE", "BEHIND", "EVENT", "VERSION", "BROKER")]
    for member in status.members:
        role = "leader" if member.member_id == status.leader else "follower"
        state = "online" if member.online else f"offline for {member.age_s:.0f} s"
        behind, head = str(status.lag(member)), str(member.head)
        rows.append((member.address, role, state, behind, head, member.version, member.broker))
    _table(rows)
    rows_of_streams = [("STREAM", "MESSAGES", "SIZE", "LEADER")]
    for name, stream in status.streams.items():
        rows_of_streams.append((name, str(stream.last), _size(stream.size), stream.leader or "-"))
    _table(rows_of_streams)
    limit = "no limit" if status.storage_limit < 0 else f"limit {_size(status.storage_limit)}"
    print(f"brokers store {_size(status.storage)}, {limit}")


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
