"""`glasstape watch`: the feed in the terminal."""

import argparse
import sys
import time
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

if TYPE_CHECKING:
    from rich.text import Text

    from glasstape import BuyEvent, Client, ConfidenceEvent, StreamMessage
    from glasstape.cli.board import Board

HELP = "follow the signals in the terminal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    parser.add_argument("symbols", nargs="*", help="only these symbols (default: all)")
    parser.add_argument("--kinds", default="", help="comma-separated: confidence,buy,outcome (default: all)")
    parser.add_argument("--min-confidence", type=float, default=0.0, help="least winning probability, 0-1")
    parser.add_argument("--every-event", action="store_true", help="conflate nothing: show every confidence")
    add_duration(parser)
    parser.add_argument(
        "--view",
        choices=("auto", "table", "text"),
        default="auto",
        help="auto: a table on a terminal, else text",
    )


def add_duration(parser: argparse.ArgumentParser) -> None:
    """The --for option."""
    parser.add_argument(
        "--for",
        dest="duration",
        type=seconds,
        metavar="20s",
        help="end after this time (s, m or h)",
    )


def seconds(text: str) -> float:
    """Seconds of a text such as 20s, 5m or 1h."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a time such as 20s, 5m or 1h, is {text!r}")
    return value


@reported
def run(options: argparse.Namespace) -> int:
    """Follow; returns the exit status."""
    view = options.view
    if view == "auto":
        view = "table" if sys.stdout.isatty() else "text"
    kinds = [kind for kind in options.kinds.split(",") if kind]
    end = time.monotonic() + options.duration if options.duration is not None else float("inf")
    wanted = {
        "symbols": options.symbols,
        "kinds": kinds,
        "min_confidence": options.min_confidence,
        "delivery": "every_event" if options.every_event else "conflated",
    }
    with (
        connected(options) as client,
        closing(_followed(client, wanted, heatmaps=not options.json)) as messages,
    ):
        if options.json:
            for message in messages:
                for event in getattr(message, "events", ()):
                    print_json(event)
                if time.monotonic() >= end:
                    break
            return 0

        from rich.live import Live

        from glasstape.cli.board import Board

        board = Board(client, client.model())
        if view == "text":
            return _print(messages, board, end)
        with Live(board.picture(), refresh_per_second=8) as live:
            for message in messages:
                board.take(message)
                live.update(board.picture())
                if time.monotonic() >= end:
                    break
    return 0


def _followed(
    client: "Client", wanted: dict[str, Any], *, heatmaps: bool
) -> Generator["StreamMessage", None, None]:
    """The feed, with heat maps where they are wanted and the token allows them."""
    from glasstape import PermissionDeniedError

    try:
        with client.signals(**wanted, heatmap_method="gradient" if heatmaps else None) as stream:
            yield from stream.messages()
    except PermissionDeniedError as error:
        if not heatmaps or error.metadata.get("needed") != "explain":
            raise
        print("without heat maps: the token has no scope `explain`", file=sys.stderr)
        yield from _followed(client, wanted, heatmaps=False)


def _print(messages: "object", board: "Board", end: float) -> int:
    from rich.console import Console

    from glasstape import BuyEvent, ConfidenceEvent, EventBatch, OutcomeEvent

    console = Console()
    message: StreamMessage
    for message in messages:  # type: ignore[attr-defined]
        before = board.status
        board.take(message)
        if isinstance(message, EventBatch):
            for event in message.events:
                match event:
                    case ConfidenceEvent():
                        console.print(_line(event, board), soft_wrap=True)
                    case BuyEvent():
                        console.print(_buy(event), soft_wrap=True)
                    case OutcomeEvent():
                        verdict = "hit" if event.hit else "miss"
                        console.print(
                            f"{event.sequence:>7} outcome {event.symbol:<8} {event.predicted.name} of "
                            f"{event.signal_bar_close_time:%Y-%m-%d}: {event.realised.name} "
                            f"({event.realised_return:+.2%}), {verdict}",
                            style="dim",
                            soft_wrap=True,
                        )
        elif board.status != before and not isinstance(message, EventBatch):
            console.print(board.status, style="dim")
        if time.monotonic() >= end:
            break
    heatmap = board.heatmap()
    if heatmap is not None:
        console.print(heatmap)
    return 0


def _line(event: "ConfidenceEvent", board: "Board") -> "Text":
    from rich.text import Text

    from glasstape.cli.render import confidence_bar, direction_text

    said = event.signal.confidence
    head = f"{event.sequence:>7} {event.bar_close_time:%Y-%m-%d} {event.symbol:<8} {event.signal.bar.close:>10,.2f} "
    bar = confidence_bar(said.up, board.model.buy_ramp_low, board.model.buy_ramp_high)
    return Text.assemble(head, bar, "  ", direction_text(said), f"  [{event.signal.data_state.value}]")


def _buy(event: "BuyEvent") -> "Text":
    from rich.text import Text

    said = event.signal.confidence
    head = f"{event.sequence:>7} {event.bar_close_time:%Y-%m-%d} {event.symbol:<8} BUY up {said.up:.1%}"
    expiry = f", until {event.signal.expire_time:%Y-%m-%d}"
    return Text(
        head + (" (abstained)" if said.abstained else "") + expiry, "red" if said.abstained else "bold red"
    )
