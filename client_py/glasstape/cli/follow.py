"""`glasstape follow`: follow a market and publish its bars."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_server, tls_of, token_of
from glasstape.cli.follow_options import add_interval, duration, moment
from glasstape.cli.watch import add_duration

if TYPE_CHECKING:
    from glasstape.sources.follow_stats import FollowStats
    from glasstape.sources.follower import Follower

HELP = "follow a market and publish its bars"
HEALTH_SECONDS = 5.0
"""Pause between two writes of the health file."""
REFUSED = 2
"""Exit status of a failure that a restart does not fix."""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a subcommand for each source."""
    from glasstape.sources.registry import add_sources

    for own in add_sources(parser):
        own.add_argument("symbols", nargs="+", metavar="SYMBOL", help="symbols as on the market")
        add_interval(own, "1m")
        own.add_argument(
            "--since",
            type=moment,
            metavar="DATE",
            help="start of the history of symbols without stored bars (default: 500 bars ago)",
        )
        own.add_argument("--provisional", action="store_true", help="publish forming bars too")
        own.add_argument(
            "--replace", action="store_true", help="correct stored bars when the market corrects its own"
        )
        own.add_argument(
            "--grace",
            type=duration,
            default="10s",
            metavar="10s",
            help="longest time that a close waits for its stragglers (default: %(default)s)",
        )
        own.add_argument(
            "--signal-age",
            type=duration,
            metavar="1h",
            help="store older closes without signals (default: 1 hour or 4 bars, whichever is longer)",
        )
        own.add_argument(
            "--metrics-port",
            type=int,
            metavar="PORT",
            help="port of /metrics for Prometheus; 0 selects a free one, which is printed (default: no metrics)",
        )
        own.add_argument(
            "--metrics-host",
            default="127.0.0.1",
            metavar="HOST",
            help="address of /metrics (default: %(default)s)",
        )
        own.add_argument(
            "--health-file", type=Path, metavar="FILE", help="write state and positions to this JSON file"
        )
        add_server(own)
        add_duration(own)


def run(options: argparse.Namespace) -> int:
    """Follow until SIGINT, SIGTERM or the end of --for; return the exit status.

    0: stopped; 1: failed, a restart may help; 2: the market, the server or an option refuses for good.
    """
    from glasstape.errors import GlasstapeError
    from glasstape.sources.errors import SourceError, SourceUnavailableError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_follow(options))
    except SourceUnavailableError as error:
        print(f"glasstape follow: {error}", file=sys.stderr)
        return 1
    except (SourceError, GlasstapeError, ValueError, OSError) as error:
        print(f"glasstape follow: {error}", file=sys.stderr)
        return REFUSED
    return 0


async def _follow(options: argparse.Namespace) -> None:
    from glasstape import AsyncClient
    from glasstape.cli.history_progress import HistoryProgress
    from glasstape.sources.follower import Follower, FollowOptions

    source = options.source_class.from_options(options)
    wanted = FollowOptions(
        symbols=options.symbols,
        interval=options.interval,
        since=options.since,
        provisional=options.provisional,
        replace=options.replace,
        grace=options.grace,
        signal_age=options.signal_age,
    )
    client = AsyncClient(options.server, tls=tls_of(options), token=token_of(options))
    try:
        async with client:
            with HistoryProgress() as progress:
                follower = Follower(source, client, wanted, on_progress=progress.update)
                with _metrics(follower.stats, options):
                    await _until_stopped(follower, options)
    finally:
        await source.close()


async def _until_stopped(follower: "Follower", options: argparse.Namespace) -> None:
    """Run a follower until it fails, a signal stops the process, or the time is over."""
    from glasstape.sources.follow_stats import FollowState, write_health

    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # on Windows, where Ctrl-C raises KeyboardInterrupt
            loop.add_signal_handler(number, stopping.set)
    following = asyncio.create_task(follower.run())
    others: list[asyncio.Task[object]] = [asyncio.create_task(stopping.wait())]
    if options.health_file is not None:
        others.append(asyncio.create_task(_write_health(follower.stats, options.health_file)))
    try:
        await asyncio.wait(
            [following, *others], timeout=options.duration, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (following, *others):
            if task.done():
                task.result()
    finally:
        for task in (following, *others):
            task.cancel()
        await asyncio.gather(following, *others, return_exceptions=True)
        follower.stats.state = FollowState.STOPPED
        if options.health_file is not None:
            write_health(follower.stats, options.health_file)
        log.info("stopped; %s", ", ".join(f"{count} {kind}" for kind, count in follower.stats.bars.items()))


async def _write_health(stats: "FollowStats", path: Path) -> None:
    from glasstape.sources.follow_stats import write_health

    while True:
        write_health(stats, path)
        await asyncio.sleep(HEALTH_SECONDS)


@contextmanager
def _metrics(stats: "FollowStats", options: argparse.Namespace) -> Iterator[None]:
    """Serve metrics within the block, if they were requested."""
    if options.metrics_port is None:
        yield
        return
    from glasstape.sources.follow_metrics import serve_metrics

    port, server = serve_metrics(stats, options.metrics_host, options.metrics_port)
    print(f"metrics on {options.metrics_host}:{port}", flush=True)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
