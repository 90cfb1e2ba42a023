"""`glasstape bars`: list and correct the bars that a server has stored."""

import argparse
import sys
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from glasstape.cli import publish
from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console

if TYPE_CHECKING:
    from glasstape import Bar, Client, Correction

HELP = "list, replace, remove or rename the stored bars of a server"
_INSTANT = timedelta(microseconds=1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list series, the bars of a symbol, or corrections")
    listing.add_argument("symbol", nargs="?", default="", help="list its bars (default: list all series)")
    listing.add_argument(
        "--interval", default="1d", help="bar interval to list with a symbol (default: %(default)s)"
    )
    _add_range(listing)
    listing.add_argument(
        "--corrections", action="store_true", help="list corrections instead: of a symbol, or all"
    )
    replace = actions.add_parser("replace", help="replace the values of stored bars by those of a file")
    publish.add_file_arguments(replace)
    replace.set_defaults(mode="replace")
    remove = actions.add_parser("remove", help="remove stored bars of a symbol")
    remove.add_argument("symbol", help="symbol of the bars")
    remove.add_argument("--interval", required=True, help="bar interval")
    _add_range(remove)
    remove.add_argument("--all", action="store_true", help="remove all bars of the interval")
    rename = actions.add_parser("rename", help="move all bars of a symbol, and its description, to another")
    rename.add_argument("symbol", help="symbol with the bars")
    rename.add_argument("new_symbol", help="its new name")
    for each in (remove, rename):
        each.add_argument("--yes", action="store_true", help="do not ask; required without a terminal")
    for each in (listing, remove, rename):
        add_server(each)
        add_json(each)


def _add_range(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="start",
        metavar="TIME",
        help="first close: ISO 8601 date or time (default: the oldest)",
    )
    parser.add_argument(
        "--to", dest="end", metavar="TIME", help="last close: ISO 8601 date or time (default: the newest)"
    )
    parser.add_argument(
        "--time-zone", metavar="ZONE", help="IANA time zone of dates, and of times without an offset"
    )


def run(options: argparse.Namespace) -> int:
    """Run the action; returns the exit status."""
    if options.action == "replace":
        return publish.run(options)
    return {"list": _list, "remove": _remove, "rename": _rename}[options.action](options)


@reported
def _list(options: argparse.Namespace) -> int:
    start, end = _range(options)
    with connected(options) as client:
        if options.corrections:
            corrections = client.corrections(options.symbol)
            if options.json:
                return _print_each(corrections)
            return _show_corrections(corrections)
        if not options.symbol:
            return _list_series(client, as_json=options.json)
        bars = client.bars(options.symbol, options.interval, start=start, end=end)
    return _print_each(bars) if options.json else _show_bars(bars)


@reported
def _remove(options: argparse.Namespace) -> int:
    start, end = _range(options)
    if options.all == (start is not None or end is not None):
        print("glasstape bars remove: requires --from and --to, one of them, or --all", file=sys.stderr)
        return 2
    with connected(options) as client:
        bars = client.bars(options.symbol, options.interval, start=start, end=end)
        if not bars:
            print(f"{options.symbol}: no {options.interval} bars to remove", file=sys.stderr)
            return 1
        first, last = bars[0].close_time, bars[-1].close_time
        what = (
            f"remove {len(bars)} {options.interval} bars of {options.symbol}, {_text(first)} to {_text(last)}"
        )
        if not _confirmed(what, options):
            return 2
        removed = client.remove_bars(options.symbol, options.interval, start=first, end=last)
    if options.json:
        print_json({"removed": removed})
    else:
        print(f"{removed} removed")
    return 0


@reported
def _rename(options: argparse.Namespace) -> int:
    with connected(options) as client:
        series = client.stored_series(options.symbol)
        held = ", ".join(f"{item.bar_count} {item.interval} bars" for item in series) or "no bars"
        if not _confirmed(f"rename {options.symbol} to {options.new_symbol}: {held}", options):
            return 2
        moved = client.rename_symbol(options.symbol, options.new_symbol)
    if options.json:
        print_json({"moved": moved})
    else:
        print(f"{moved} moved")
    return 0


def _confirmed(what: str, options: argparse.Namespace) -> bool:
    """Print what is about to be done; return whether to do it."""
    print(f"{what}; signals made before stay as they are", file=sys.stderr)
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print(f"glasstape bars {options.action}: requires --yes without a terminal", file=sys.stderr)
        return False
    print("continue? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _range(options: argparse.Namespace) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last close that are selected; None: not limited.

    Raises:
        ValueError: malformed, or a zone is missing.
    """
    zone = None if options.time_zone is None else ZoneInfo(options.time_zone)
    start = None if options.start is None else _moment("--from", options.start, zone, day_end=False)
    end = None if options.end is None else _moment("--to", options.end, zone, day_end=True)
    return start, end


def _moment(flag: str, text: str, zone: ZoneInfo | None, *, day_end: bool) -> datetime:
    """Return a time. The closes of a date are those after its midnight, up to the next one.

    Raises:
        ValueError: malformed, or a zone is missing.
    """
    try:
        moment, day = datetime.fromisoformat(text), len(text) <= len("YYYY-MM-DD")
    except ValueError:
        raise ValueError(f"{flag}: must be an ISO 8601 date or time, is {text!r}") from None
    if moment.tzinfo is None:
        if zone is None:
            raise ValueError(f"{flag}: must have an offset, or --time-zone must be set, is {text!r}")
        moment = moment.replace(tzinfo=zone)
    if not day:
        return moment
    if day_end:
        tomorrow = date.fromordinal(moment.toordinal() + 1)
        return datetime.combine(tomorrow, clock_time(0, 0), moment.tzinfo)
    return moment.astimezone(UTC) + _INSTANT


def _print_each(values: "list[Bar] | list[Correction]") -> int:
    for value in values:
        print_json(value)
    return 0


def _list_series(client: "Client", *, as_json: bool) -> int:
    from rich.table import Table

    series = client.stored_series()
    if as_json:
        for item in series:
            print_json(item)
        return 0
    table = Table("symbol", "interval", "bars", "first close (UTC)", "last close (UTC)", "age", "state")
    for item in series:
        table.add_row(
            item.symbol, item.interval, f"{item.bar_count:,}", _text(item.first_close), _text(item.last_close),
            str(timedelta(seconds=round(item.age.total_seconds()))), "retired" if item.retired else "",
        )  # fmt: skip
    wide_console().print(table)
    return 0


def _show_bars(bars: "list[Bar]") -> int:
    from rich.table import Table

    table = Table("close (UTC)", "open", "high", "low", "close", "volume", "")
    for bar in bars:
        state = "provisional" if bar.provisional else "halted" if bar.halted else ""
        table.add_row(_text(bar.close_time), *_values(bar), state)
    wide_console().print(table)
    return 0


def _show_corrections(corrections: "list[Correction]") -> int:
    from rich.table import Table

    table = Table(
        "time (UTC)", "by", "what", "symbol", "interval", "close (UTC)", "old open", "high", "low", "close", "volume"
    )  # fmt: skip
    for item in corrections:
        cells = [_text(item.time), item.principal, item.kind.name.lower()]
        if item.bar is None:
            table.add_row(*cells, f"{item.symbol} to {item.new_symbol}")
        else:
            table.add_row(
                *cells, item.symbol, item.bar.interval, _text(item.bar.close_time), *_values(item.bar)
            )
    wide_console().print(table)
    return 0


def _values(bar: "Bar") -> list[str]:
    return [f"{value:.10g}" for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)]


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
