"""Benchmarks of speed, whose tables are in docs/performance.md."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from glasstape_server.cli.arguments import Subparsers, names, nonempty_path, positive

if TYPE_CHECKING:
    from glasstape_server.bench.report import BenchmarkReport


def add_benchmarks(benchmarks: Subparsers) -> None:
    """Add a parser for each benchmark."""
    calls = "measure throughput and latency of {} on both wires, relative to a gRPC echo"
    for name, method in (("predict", "Predict"), ("explain", "Explain")):
        _add_seconds(_add(benchmarks, name, calls.format(method), _calls))
    _add_seconds(
        _add(benchmarks, "arrivals", "measure the latency of Predict under open-loop load", _arrivals)
    )
    engine = _add(benchmarks, "engine", "measure predictions and gradient maps on one thread", _engine)
    engine.add_argument(
        "--networks", type=names, default=["conv1d"], metavar="A,B", help="networks (default: conv1d)"
    )
    trees = _add(
        benchmarks, "trees", "measure fits, predictions and maps of trees beside those of conv1d", _trees
    )
    trees.add_argument(
        "--windows", type=positive, default=1_000_000, help="training windows (default: %(default)s)"
    )
    trees.add_argument("--threads", type=positive, default=2, help="threads of the fits (default: 2)")
    gpu = _add(benchmarks, "gpu", "check a GPU's results against the CPU, and measure its speed", _gpu)
    gpu.add_argument("--device", default="cuda", help="cpu, cuda or cuda:N (default: %(default)s)")
    burst = _add(benchmarks, "burst", "measure the time from a bar's close to every subscriber", _burst)
    _add_market(burst, symbols=2000, subscribers=20)
    cluster = _add(
        benchmarks,
        "cluster",
        "measure a market's close on three servers and three brokers of this machine",
        _cluster,
    )
    _add_market(cluster, symbols=3000, subscribers=3)
    feed = _add(
        benchmarks, "feed", "measure events per second to many subscribers, and their CPU time", _feed
    )
    _add_market(feed, symbols=360, subscribers=500)
    feed.add_argument("--closes", type=positive, default=10, help="closes per round (default: %(default)s)")
    stuck = _add(
        benchmarks, "stuck", "measure the impact of a stalled subscriber on other subscribers", _stuck
    )
    _add_market(stuck, symbols=200, subscribers=20)
    stuck.add_argument("--closes", type=positive, default=40, help="closes per round (default: %(default)s)")
    sdk = _add(benchmarks, "sdk", "measure events of the feed that one process reads per second", _sdk)
    sdk.add_argument(
        "--events", type=positive, default=300_000, help="events per round (default: %(default)s)"
    )
    sizes = _add(
        benchmarks,
        "bytes",
        "measure the bytes of an event, a prediction and an explanation on the wire",
        _bytes,
    )
    sizes.add_argument("--events", type=positive, default=3000, help="events (default: %(default)s)")
    _add(benchmarks, "start", "measure start-up time and idle memory", _start)


def report(options: argparse.Namespace) -> "BenchmarkReport":
    """Run the benchmark of parsed options.

    Raises:
        ValueError: the benchmark is not one of speed, or cannot run.
    """
    if not hasattr(options, "report"):
        raise ValueError(f"{options.benchmark}: has no table for documents")
    result: BenchmarkReport = options.report(options)
    return result


def _measure(options: argparse.Namespace) -> str:
    if options.json and not options.json.parent.is_dir():
        raise ValueError(f"--json: folder {options.json.parent} does not exist")
    result = report(options)
    if options.json:
        result.save(options.json)
    return result.to_markdown()


def _add(
    benchmarks: Subparsers, name: str, text: str, run: "Callable[[argparse.Namespace], BenchmarkReport]"
) -> argparse.ArgumentParser:
    parser = benchmarks.add_parser(name, help=text)
    parser.add_argument("--rounds", type=positive, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="run briefly, to see whether it works")
    parser.add_argument(
        "--json", type=nonempty_path, metavar="FILE", help="also write all measurements to a file"
    )
    parser.set_defaults(measure=_measure, report=run)
    return parser


def _add_seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=positive, default=3, help="seconds per measurement (default: %(default)s)"
    )


def _add_market(parser: argparse.ArgumentParser, *, symbols: int, subscribers: int) -> None:
    parser.add_argument(
        "--symbols", type=positive, default=symbols, help="bars per close (default: %(default)s)"
    )
    parser.add_argument(
        "--subscribers", type=positive, default=subscribers, help="subscribers (default: %(default)s)"
    )


def _rounds(options: argparse.Namespace) -> int:
    return 1 if options.quick else int(options.rounds)


def _seconds(options: argparse.Namespace) -> int:
    return 1 if options.quick else int(options.seconds)


def _calls(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import calls

    explain = options.benchmark == "explain"
    return calls.run(explain, _rounds(options), _seconds(options), quick=options.quick)


def _arrivals(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import open_loop

    return open_loop.run(_rounds(options), _seconds(options))


def _engine(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import engine_speed

    return engine_speed.run(options.networks, _rounds(options), largest=64 if options.quick else 4096)


def _trees(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import tree_speed

    windows = 5000 if options.quick else options.windows
    return tree_speed.run(windows, _rounds(options), options.threads, largest=64 if options.quick else 4096)


def _gpu(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import gpu

    return gpu.run(options.device, _rounds(options), quick=options.quick)


def _cluster(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import cluster

    if options.quick:
        return cluster.run(symbols=20, subscribers=1, closes=1)
    return cluster.run(options.symbols, options.subscribers, options.rounds)


def _burst(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import burst

    if options.quick:
        return burst.run(symbols=20, subscribers=2, bursts=1)
    return burst.run(options.symbols, options.subscribers, options.rounds)


def _feed(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import fanout

    if options.quick:
        return fanout.run(subscribers=3, symbols=20, closes=2, rounds=1)
    return fanout.run(options.subscribers, options.symbols, options.closes, options.rounds)


def _stuck(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import stuck

    if options.quick:
        return stuck.run(subscribers=2, symbols=20, closes=3, rounds=1, wait=0.0)
    return stuck.run(options.subscribers, options.symbols, options.closes, options.rounds)


def _sdk(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import reading

    return reading.run(2000 if options.quick else options.events, _rounds(options))


def _bytes(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import message_bytes

    return message_bytes.run(200 if options.quick else options.events)


def _start(options: argparse.Namespace) -> "BenchmarkReport":
    from glasstape_server.bench import starting

    return starting.run(_rounds(options))
