"""`glasstape importance`: show what a model looks at."""

import argparse
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console
from glasstape.cli.follow_options import moment
from glasstape.cli.watch import seconds

if TYPE_CHECKING:
    from glasstape import Client, Importance, WindowFilter

HELP = "show what a model looks at: importance per feature and bar over many windows"
DIRECTIONS = ("down", "flat", "up")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_json(parser)
    parser.add_argument("symbols", nargs="*", help="only these symbols (default: all)")
    parser.add_argument("--model", default="", help="NAME or NAME@VERSION (default: the active model)")
    parser.add_argument(
        "--days", type=int, default=0, help="length of the period in days, 1-36500 (default: 30)"
    )
    add_period(parser, "", "only closes")
    parser.add_argument("--validation", action="store_true", help="windows of the model's validation period")
    parser.add_argument(
        "--direction",
        type=_directions,
        default=(),
        metavar="A,B",
        help="only windows predicted as one of these: down, flat, up (default: all)",
    )
    parser.add_argument("--exclude-abstained", action="store_true", help="exclude abstained predictions")
    parser.add_argument(
        "--reference-days",
        type=int,
        default=0,
        help="compare with so many days before the period, or before --reference-to",
    )
    add_period(parser, "reference-", "compare with closes")
    parser.add_argument(
        "--windows",
        type=int,
        default=0,
        help="largest number of windows, 1-16384, drawn at random if there are more (default: 2000)",
    )
    parser.add_argument(
        "--method",
        default="unspecified",
        help="method of the maps, one with signed maps of single cells (default: scaled_path_gradient)",
    )
    parser.add_argument(
        "--score",
        default="unspecified",
        help="score to explain: margin, logit, log_probability or up_minus_down (default: by method)",
    )
    parser.add_argument(
        "--permutation",
        action="store_true",
        help="also measure how much worse the model predicts without each part",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random numbers (default: 0)")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        help="longest time of the call, for example 2m (default: 60s)",
    )


def add_period(parser: argparse.ArgumentParser, prefix: str, text: str) -> None:
    """Add the options of a period."""
    for name, bound in (("from", "from this time on"), ("to", "up to this time")):
        parser.add_argument(
            f"--{prefix}{name}",
            dest=f"{prefix.replace('-', '_')}{'start' if name == 'from' else 'end'}",
            type=_last_close if name == "to" else _first_close,
            metavar="TIME",
            help=f"{text} {bound}, ISO 8601, UTC without an offset; a date is the whole day",
        )


def _first_close(text: str) -> datetime:
    """Return the first close of a period: of a date, the first after its midnight."""
    return moment(text) + timedelta(microseconds=1) if _is_date(text) else moment(text)


def _last_close(text: str) -> datetime:
    """Return the last close of a period: of a date, that at the next midnight."""
    return moment(text) + timedelta(days=1) if _is_date(text) else moment(text)


def _is_date(text: str) -> bool:
    return len(text) <= len("YYYY-MM-DD")


def _directions(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in DIRECTIONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"must be among {', '.join(DIRECTIONS)}, has {', '.join(unknown)}")
    return names


@reported
def run(options: argparse.Namespace) -> int:
    """Show; the exit status is 1 if no window was found."""
    with connected(options) as client:
        importance = _importance(client, options)
    if options.json:
        print_json(importance)
    else:
        from glasstape.cli.importance_table import show

        show(wide_console(), importance)
    return int(not importance.parts)


def _importance(client: "Client", options: argparse.Namespace) -> "Importance":
    wanted = _filter(options)
    reference = None
    period = {"start": options.reference_start, "end": options.reference_end, "days": options.reference_days}
    if any(period.values()):
        reference = replace(wanted, validation=False, **period)
    return client.importance(
        wanted,
        reference=reference,
        model=options.model,
        max_windows=options.windows,
        method=options.method,
        score=options.score,
        permutation=options.permutation,
        seed=options.seed,
        timeout=options.timeout,
    )


def _filter(options: argparse.Namespace) -> "WindowFilter":
    from glasstape import WindowFilter

    return WindowFilter(
        symbols=options.symbols,
        start=options.start,
        end=options.end,
        validation=options.validation,
        directions=options.direction,
        exclude_abstained=options.exclude_abstained,
        days=options.days,
    )
