"""`glasstape track`: show the track record."""

import argparse
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console

if TYPE_CHECKING:
    from glasstape import TrackRecord, TrackRecords

HELP = "show the track record: hit rates, base rates and returns"
GROUPS = ("model", "symbol", "confidence")
NONE = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_json(parser)
    parser.add_argument("symbols", nargs="*", help="only these symbols (default: all)")
    parser.add_argument("--model", default="", help="only this model (default: all)")
    parser.add_argument("--exclude-abstained", action="store_true", help="exclude abstained signals")
    parser.add_argument(
        "--by",
        type=_groups,
        default=[],
        metavar="A,B",
        help="comma-separated keys to group by: model, symbol, confidence",
    )
    parser.add_argument(
        "--cost",
        type=float,
        default=0.001,
        help="cost of entering or leaving a position, as a share of the price (default: %(default)s)",
    )
    parser.add_argument(
        "--reliability",
        action="store_true",
        help="show the reliability table: mean confidence and share that came true",
    )


def _groups(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise argparse.ArgumentTypeError(f"must be among {', '.join(GROUPS)}, has {', '.join(unknown)}")
    return names


@reported
def run(options: argparse.Namespace) -> int:
    """Show; returns the exit status."""
    with connected(options) as client:
        track = client.track_record(
            model=options.model,
            symbols=options.symbols,
            exclude_abstained=options.exclude_abstained,
            group_by=options.by,
            cost=options.cost,
        )
    if options.json:
        print_json(track)
        return 0
    from rich.table import Column, Table
    from rich.text import Text

    console = wide_console()
    names = [name for name in GROUPS if name in options.by]
    table = Table(
        *(Column(name, no_wrap=True) for name in names),
        "predicted",
        "count",
        "sessions",
        "hit rate",
        "95 % interval",
        "base rate",
        "mean return",
        "after costs",
    )
    for record in track.records:
        table.add_row(*(Text(text) for text in _group(record, names)), *_figures(record))
    console.print(table)
    if not track.outcomes:
        console.print("no outcomes: no signal's horizon has passed")
    else:
        console.print(
            f"{track.outcomes} outcomes; Brier score {_text(track.brier_score, '.4f')} (uniform forecast: 0.6667), "
            f"log loss {_text(track.log_loss, '.4f')} (1.0986)"
        )
    if track.left_out:
        console.print(
            f"{track.left_out} outcomes are excluded: their bars are in the training or validation data"
        )
    if options.reliability:
        console.print(_reliability(track))
    return 0


def _group(record: "TrackRecord", names: list[str]) -> list[str]:
    band = "none" if record.confidence is None else "{:.0%} - {:.0%}".format(*record.confidence)
    texts = {"model": record.model, "symbol": record.symbol, "confidence": band}
    return [texts[name] for name in names]


def _text(value: float | None, form: str) -> str:
    """Return a figure; "none" for one of no outcomes."""
    return NONE if value is None else f"{value:{form}}"


def _figures(record: "TrackRecord") -> list[str]:
    name = record.predicted.name if record.predicted is not None else "UP and DOWN"
    low, high = _text(record.hit_rate_low, ".1%"), _text(record.hit_rate_high, ".1%")
    return [
        name, str(record.count), str(record.sessions), _text(record.hit_rate, ".1%"),
        NONE if record.hit_rate_low is None else f"{low} - {high}", _text(record.base_rate, ".1%"),
        _text(record.mean_return, "+.3%"), _text(record.net_return, "+.3%"),
    ]  # fmt: skip


def _reliability(track: "TrackRecords") -> object:
    from rich.table import Table

    table = Table("class", "mean confidence", "came true", "95 % interval", "count")
    for point in track.reliability:
        name = "winner" if point.direction is None else point.direction.name
        interval = f"{point.realized_low:.1%} - {point.realized_high:.1%}"
        table.add_row(name, f"{point.stated:.1%}", f"{point.realized:.1%}", interval, str(point.count))
    return table
