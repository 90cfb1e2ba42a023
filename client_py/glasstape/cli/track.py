"""`glasstape track`: show the track record."""

import argparse
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console
from glasstape.cli.live import live_lines
from glasstape.cli.skill import interval_text, skill_text

if TYPE_CHECKING:
    from glasstape import IntervalEstimate, TrackRecord, TrackRecords

HELP = "show the track record: hit rates, base rates, edge, returns, and what the models know"
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
        models = [] if options.json else client.models()
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
        "calls",
        "kept",
        "sessions",
        "hit rate",
        "base rate",
        "hit - opposite",
        "right when it moved",
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
            "Intervals: 95 %. Base rate: (hits + opposites) / (2 calls). Right when it moved: base 50 %. "
            "Kept: calls that were not abstained."
        )
        for record in () if names else track.records:
            if record.carried_by:
                console.print(_carried_by(record), highlight=False, soft_wrap=True)
        console.print(
            f"{track.outcomes} outcomes; Brier score {_text(track.brier_score, '.4f')} (uniform forecast: 0.6667), "
            f"log loss {_text(track.log_loss, '.4f')} (1.0986)"
        )
        for record in track.records if names else ():
            if record.predicted is None and record.skill is not None:
                console.print(
                    f"{', '.join(_group(record, names))}: {skill_text(record.skill)}", soft_wrap=True
                )
        if track.skill is not None:
            console.print(f"{'all: ' if names else ''}{skill_text(track.skill)}", soft_wrap=True)
    if track.left_out:
        console.print(
            f"{track.left_out} outcomes are excluded: their symbols are in the training data, which end later"
        )
    if track.backlog_bars:
        console.print(f"{track.backlog_bars} bars are not signaled yet: their outcomes are missing")
    if track.open_signals:
        console.print(f"{track.open_signals} signals have no outcome yet")
    for model in models:
        for line in live_lines(model.live) if model.live is not None else ():
            console.print(f"{model.ref.name}@{model.ref.version}: {line}", highlight=False, soft_wrap=True)
    if options.reliability:
        console.print(_reliability(track))
    return 0


def _group(record: "TrackRecord", names: list[str]) -> list[str]:
    band = "none" if record.confidence is None else "{:.0%} - {:.0%}".format(*record.confidence)
    texts = {"model": record.model, "symbol": record.symbol, "confidence": band}
    return [texts[name] for name in names]


def _text(value: float | int | None, form: str) -> str:
    """Return a figure; "none" for one of no outcomes."""
    return NONE if value is None else f"{value:{form}}"


def _figures(record: "TrackRecord") -> list[str]:
    name = record.predicted.name if record.predicted is not None else "UP and DOWN"
    return [
        name, str(record.count), _text(record.kept, "d"), str(record.sessions), _hit_rate(record),
        _base_rate(record), _points(record.edge), interval_text(record.moved_hit_rate),
        _mean_return(record), _text(record.net_return, "+.3%"),
    ]  # fmt: skip


def _mean_return(record: "TrackRecord") -> str:
    """Return the mean return, with its interval where the server computes one."""
    interval = record.mean_return_interval
    text = _text(record.mean_return, "+.3%")
    return text if interval is None else f"{text} ({interval.low:+.3%} … {interval.high:+.3%})"


def _carried_by(record: "TrackRecord") -> str:
    """Return the sessions that the mean return rests on, and what is left without them."""
    name = record.predicted.name if record.predicted is not None else "UP and DOWN"
    days = ", ".join(
        f"{each.day} ({each.total_return:+.1%} in {each.calls} calls)" for each in record.carried_by
    )
    return f"{name}: mean return without {days}: {record.carried_by[-1].mean_without:+.3%}"


def _base_rate(record: "TrackRecord") -> str:
    """Return the base rate; "none" from a server that does not count opposites: its base rate is another one."""
    return NONE if record.opposites is None else _text(record.base_rate, ".1%")


def _hit_rate(record: "TrackRecord") -> str:
    if record.hit_rate is None:
        return NONE
    return f"{record.hit_rate:.1%} ({record.hit_rate_low:.1%} … {record.hit_rate_high:.1%})"


def _points(estimate: "IntervalEstimate | None") -> str:
    if estimate is None:
        return NONE
    value, low, high = (100 * end for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} ({low:+.1f} … {high:+.1f})"


def _reliability(track: "TrackRecords") -> object:
    from rich.table import Table

    table = Table("class", "mean confidence", "came true", "95 % interval", "count")
    for point in track.reliability:
        name = "winner" if point.direction is None else point.direction.name
        interval = f"{point.realized_low:.1%} - {point.realized_high:.1%}"
        table.add_row(name, f"{point.stated:.1%}", f"{point.realized:.1%}", interval, str(point.count))
    return table
