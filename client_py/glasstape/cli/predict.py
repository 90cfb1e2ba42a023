"""`glasstape predict`: one answer for each symbol, past signal or window."""

import argparse
from typing import Any

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "predict symbols, past signals or windows"


def add_source(parser: argparse.ArgumentParser) -> None:
    """What to predict from."""
    parser.add_argument("symbols", nargs="*", help="symbols of the server")
    parser.add_argument("--signal", type=int, action="append", default=[], help="sequence of a past signal")
    parser.add_argument("--windows", metavar="FILE.npy", help="float32 windows (n, time, feature)")
    parser.add_argument("--model", default="", help="NAME or NAME@VERSION (default: the active model)")


def source(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `Client.predict`."""
    given = [bool(options.symbols), bool(options.signal), bool(options.windows)]
    if sum(given) != 1:
        raise ValueError("give symbols, or --signal, or --windows: exactly one of them")
    if options.windows:
        import numpy as np

        return {"windows": np.load(options.windows, allow_pickle=False), "model": options.model}
    if options.signal:
        return {"signals": options.signal, "model": options.model}
    return {"symbols": options.symbols, "model": options.model}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    add_source(parser)


@reported
def run(options: argparse.Namespace) -> int:
    """Predict; the exit status is 1 if any item failed."""
    with connected(options) as client:
        predictions = client.predict(**source(options))
        if options.json:
            for prediction in predictions:
                print_json(prediction)
        else:
            from rich.console import Console
            from rich.text import Text

            from glasstape.cli.render import confidence_bar, direction_text

            model = client.model(options.model)
            console = Console()
            for number, prediction in enumerate(predictions):
                name = prediction.symbol or f"#{number}"
                if prediction.confidence is None:
                    console.print(f"{name:<10} {prediction.error}", style="red")
                    continue
                said = prediction.confidence
                numbers = f"  down {said.down:.1%}  flat {said.flat:.1%}  novelty {said.novelty:.0%}  "
                bar = confidence_bar(said.up, model.buy_ramp_low, model.buy_ramp_high)
                console.print(Text.assemble(f"{name:<10} ", bar, numbers, direction_text(said)))
    return int(any(prediction.error is not None for prediction in predictions))
