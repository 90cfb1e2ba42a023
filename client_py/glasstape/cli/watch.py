"""`glasstape watch`: follow the signals in the terminal."""

import argparse
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

if TYPE_CHECKING:
    from rich.text import Text

    from glasstape import BuyEvent, Client, ConfidenceEvent, OutcomeEvent, SignalStream, StreamMessage
    from glasstape.cli.board import Board

HELP = "follow the signals in the terminal"
FIRST_ANSWER_S = 5.0
"""Seconds within which a server answers, also if less was to be shown."""
VIEWS = ("auto", "table", "text")
SORTS = ("symbol", "rank", "up")
"""Orders of the table's rows."""
WITHOUT_GRADIENTS = ("tree_shap", "occlusion")
"""Methods of the heat maps of a model without gradients, such as trees; the first that it serves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_json(parser)
    parser.add_argument("symbols", nargs="*", help="only these symbols (default: all)")
    parser.add_argument(
        "--kinds", default="", help="comma-separated kinds: confidence,buy,outcome (default: all)"
    )
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, help="least winning probability, 0-1 (default: 0)"
    )
    parser.add_argument(
        "--every-event", action="store_true", help="show every confidence, without conflation"
    )
    add_duration(parser)
    parser.add_argument(
        "--view",
        choices=VIEWS,
        default="auto",
        help="output: table, text, or auto: a table on a terminal, else text (default: auto)",
    )
    parser.add_argument(
        "--sort",
        choices=SORTS,
        default=SORTS[0],
        help="order of the table: symbol, rank within the close, or confidence of UP, highest first (default: symbol)",
    )


def add_duration(parser: argparse.ArgumentParser) -> None:
    """Add the --for option."""
    parser.add_argument(
        "--for",
        dest="duration",
        type=seconds,
        metavar="20s",
        help="stop after this time: s, m or h (default: never)",
    )


def seconds(text: str) -> float:
    """Return the seconds of a text such as 20s, 5m or 1h."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a duration such as 20s, 5m or 1h, is {text!r}")
    return value


@reported
def run(options: argparse.Namespace) -> int:
    """Follow; returns the exit status."""
    filters = {
        "symbols": options.symbols,
        "kinds": [kind for kind in options.kinds.split(",") if kind],
        "min_confidence": options.min_confidence,
        "delivery": "every_event" if options.every_event else "conflated",
    }
    with connected(options) as client:
        if options.json:
            _print_json(client, filters, options.duration)
        else:
            show(client, options.view, options.duration, options.sort, **filters)
    return 0


def show(client: "Client", view: str, duration: float | None, sort: str = SORTS[0], **filters: Any) -> None:
    """Show the feed, for some seconds or without end.

    Args:
        client: of the server.
        view: one of `VIEWS`.
        duration: in seconds; None: without end.
        sort: one of `SORTS`.
        filters: as in `Client.signals`.
    """
    from rich.live import Live

    from glasstape.cli.board import Board

    board = Board(client, client.model(), sort)
    with closing(_messages(client, filters, duration, heatmaps=True)) as messages:
        if view == "text" or (view == "auto" and not sys.stdout.isatty()):
            _print_text(messages, board)
            return
        with Live(board.render(), refresh_per_second=8) as live:
            for message in messages:
                board.update(message)
                live.update(board.render())


def _messages(
    client: "Client",
    filters: dict[str, Any],
    duration: float | None,
    *,
    heatmaps: bool,
    method: str = "scaled_gradient",
) -> Generator["StreamMessage", None, None]:
    """Yield the feed, with heat maps if they are requested and the token has the scope for them.

    Outages are logged.

    Raises:
        GlasstapeError: retrying does not help, or there was no connection within the duration.
        PreconditionError: the model serves no map that the feed can carry.
    """
    from glasstape import PermissionDeniedError, PreconditionError

    try:
        with client.signals(**filters, heatmap_method=method if heatmaps else None) as stream:
            yield from _until(stream, duration, client.address)
    except PermissionDeniedError as error:
        if not heatmaps or error.metadata.get("scope") != "explain":
            raise
        print("heat maps are off: the token lacks the scope `explain`", file=sys.stderr)
        yield from _messages(client, filters, duration, heatmaps=False)
    except PreconditionError as error:
        served = error.metadata.get("methods", "").split(", ")
        others = [name for name in WITHOUT_GRADIENTS if f"METHOD_{name.upper()}" in served]
        if not heatmaps or method in WITHOUT_GRADIENTS or not others:
            raise
        yield from _messages(client, filters, duration, heatmaps=True, method=others[0])


def _until(stream: "SignalStream", duration: float | None, address: str) -> Iterator["StreamMessage"]:
    """Yield the messages of a stream for some seconds, or without end.

    Raises:
        DeadlineError: the server did not answer within the duration.
        GlasstapeError: there was no connection within the duration, or retrying does not help.
    """
    from glasstape import DeadlineError
    from glasstape._outage import OutageLog

    outages = OutageLog(address)
    end = float("inf") if duration is None else time.monotonic() + duration
    # A server that accepts connections and is silent sends no message at which the end could be noticed.
    limit = threading.Timer(max(duration or 0.0, FIRST_ANSWER_S), stream.close)
    limit.daemon = True
    if duration is not None:
        limit.start()
    try:
        for message in stream.messages():
            outages.note(message)
            yield message
            if time.monotonic() >= end:
                break
    finally:
        limit.cancel()
    if not outages.connected:
        raise outages.error or DeadlineError(
            f"{address}: no answer within {max(duration or 0.0, FIRST_ANSWER_S):g} s"
        )


def _print_json(client: "Client", filters: dict[str, Any], duration: float | None) -> None:
    with closing(_messages(client, filters, duration, heatmaps=False)) as messages:
        for message in messages:
            for event in getattr(message, "events", ()):
                print_json(event)


def _print_text(messages: "Iterable[StreamMessage]", board: "Board") -> None:
    from glasstape import BuyEvent, ConfidenceEvent, Disconnected, EventBatch, OutcomeEvent, SequenceGap
    from glasstape.cli.output import make_console

    console = make_console()
    for message in messages:
        status = board.status
        board.update(message)
        if not isinstance(message, EventBatch):
            logged = isinstance(message, Disconnected | SequenceGap)
            if board.status != status and not logged:
                console.print(board.status, style="dim", markup=False)
            continue
        for event in message.events:
            match event:
                case ConfidenceEvent():
                    console.print(_line(event, board), soft_wrap=True)
                case BuyEvent():
                    console.print(_buy(event), soft_wrap=True)
                case OutcomeEvent():
                    console.print(_outcome(event), soft_wrap=True)
    heatmap = board.heatmap()
    if heatmap is not None:
        console.print(heatmap)


def _line(event: "ConfidenceEvent", board: "Board") -> "Text":
    from rich.text import Text

    from glasstape.cli.render import confidence_bar, direction_text, missing_text, rank_text
    from glasstape.prices import close_text

    confidence = event.signal.probabilities
    head = f"{event.sequence:>7} {event.bar_close_time:%Y-%m-%d} {event.symbol:<8} {close_text(event.signal.bar):>10} "
    bar = confidence_bar(confidence.up, board.model.buy_ramp_low, board.model.buy_ramp_high)
    missing = (missing_text(event.signal.missing_bars, event.signal.missing_symbols), "yellow")
    state = f"  [{event.signal.data_state.value}]"
    signal = event.signal
    place = rank_text(signal.rank_score, signal.close_rank, signal.close_size)
    ranked = f"  rank {place}" if place else ""
    return Text.assemble(head, bar, "  ", direction_text(confidence), ranked, state, missing)


def _buy(event: "BuyEvent") -> "Text":
    from rich.text import Text

    from glasstape.cli.render import missing_text

    confidence = event.signal.probabilities
    text = f"{event.sequence:>7} {event.bar_close_time:%Y-%m-%d} {event.symbol:<8} BUY up {confidence.up:.1%}"
    if confidence.abstained:
        text += " (abstained)"
    style = "red" if confidence.abstained else "bold red"
    missing = (missing_text(event.signal.missing_bars, event.signal.missing_symbols), "yellow")
    return Text.assemble((f"{text}, expires {event.signal.expire_time:%Y-%m-%d}", style), missing)


def _outcome(event: "OutcomeEvent") -> "Text":
    from rich.text import Text

    return Text(
        f"{event.sequence:>7} outcome {event.symbol:<8} {event.predicted.name} of "
        f"{event.signal_bar_close_time:%Y-%m-%d}: {event.realized.name} ({event.realized_return:+.2%}), "
        f"{'hit' if event.hit else 'miss'}",
        "dim",
    )
