"""`glasstape bench`: run benchmarks of this machine, and measure the quality of explanations and training."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from glasstape_server.cli import bench_learning, bench_quality, bench_speed
from glasstape_server.cli.arguments import names, nonempty_path

HELP = "Run benchmarks: speed of server, engine and SDK; quality of explanations and training"
GROUP = "glasstape.benches"
"""Entry points of benchmarks of other distributions: modules with HELP, add_arguments and measure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    bench_speed.add_benchmarks(benchmarks)
    bench_quality.add_benchmarks(benchmarks)
    bench_learning.add_benchmark(benchmarks)

    page = benchmarks.add_parser("page", help="update the tables of a document, such as docs/performance.md")
    page.add_argument("page", type=nonempty_path, metavar="FILE", help="Markdown file")
    page.add_argument("--only", type=names, default=[], metavar="A,B", help="benchmarks (default: all)")
    page.set_defaults(measure=_page)

    for entry in entry_points(group=GROUP):
        module = entry.load()
        external = benchmarks.add_parser(entry.name, help=module.HELP)
        module.add_arguments(external)
        external.set_defaults(measure=module.measure)


def run(options: argparse.Namespace) -> int:
    """Run a benchmark and print its tables; return the exit status."""
    try:
        print(options.measure(options))
    except (ValueError, OSError) as error:
        print(f"glasstape bench: {error}", file=sys.stderr)
        return 1
    return 0


def _page(options: argparse.Namespace) -> str:
    from glasstape_server.bench import page, regressions

    before = page.tables(regressions.committed(options.page))
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def measure(command: Sequence[str]) -> str:
        return str(bench_speed.report(parser.parse_args(command)).to_markdown())

    updated = page.update_tables(options.page, options.only, measure)
    after = page.tables(options.page.read_text())
    found = regressions.worse(before, {command: after[command] for command in updated})
    verdict = ["worse than the last committed tables:", *found] if found else ["nothing got worse"]
    return "\n".join([f"updated: {'; '.join(updated)}", *verdict])
