"""`glasstape bench`: measure this machine."""

import argparse

HELP = "measure: how long a market's bar takes to reach every subscriber"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("what", choices=("burst",), nargs="?", default="burst", help="what to measure")
    parser.add_argument(
        "--symbols", type=_positive, default=2000, help="bars that close at once (default: %(default)s)"
    )
    parser.add_argument(
        "--subscribers", type=_positive, default=20, help="readers of everything (default: %(default)s)"
    )
    parser.add_argument(
        "--bursts", type=_positive, default=5, help="closes to measure (default: %(default)s)"
    )


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, is {text!r}")
    return value


def run(options: argparse.Namespace) -> int:
    """Measure and print a table; returns the exit status."""
    from glasstape_server.bench import burst

    figures = burst.run(options.symbols, options.subscribers, options.bursts)
    print(burst.table(figures, options.symbols, options.subscribers))
    return 0
