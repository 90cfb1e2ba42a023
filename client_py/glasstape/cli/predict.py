"""`glasstape predict`: predict symbols, past signals or windows."""

import argparse
from typing import Any

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "predict symbols, past signals or windows"


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options of the prediction input."""
    parser.add_argument("symbols", nargs="*", help="predict the latest bars of these symbols")
    parser.add_argument(
        "--signal",
        type=int,
        action="append",
        default=[],
        help="predict the past signal of this sequence; may be repeated",
    )
    parser.add_argument("--windows", metavar="FILE.npy", help="predict float32 windows (n, time, feature)")
    parser.add_argument("--model", default="", help="model NAME or NAME@VERSION (default: the active model)")


def source(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `Client.predict`.

    Raises:
        ValueError: not exactly one input is set.
    """
    inputs = [bool(options.symbols), bool(options.signal), bool(options.windows)]
    if sum(inputs) != 1:
        raise ValueError("input: must be exactly one of symbols, --signal and --windows")
    if options.windows:
        import numpy as np

        return {"windows": np.load(options.windows, allow_pickle=False), "model": options.model}
    if options.signal:
        return {"signals": options.signal, "model": options.model}
    return {"symbols": options.symbols, "model": options.model}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
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
            from rich.text import Text

            from glasstape.cli.output import make_console
            from glasstape.cli.render import confidence_bar, direction_text, missing_text, rank_text

            model = client.model(options.model)
            console = make_console()
            for number, prediction in enumerate(predictions):
                name = prediction.symbol or f"#{number}"
                if prediction.confidence is None:
                    console.print(Text(f"{name:<10} {prediction.error}", "red"))
                    continue
                confidence = prediction.confidence
                numbers = (
                    f"  down {confidence.down:.1%}  flat {confidence.flat:.1%}  "
                    f"novelty {confidence.novelty:.0%}  "
                )
                bar = confidence_bar(confidence.up, model.buy_ramp_low, model.buy_ramp_high)
                missing = (missing_text(prediction.missing_bars, prediction.missing_symbols), "yellow")
                score = rank_text(prediction.rank_score)
                ranked = f"  rank score {score}" if score else ""
                line = Text.assemble(
                    f"{name:<10} ", bar, numbers, direction_text(confidence), ranked, missing
                )
                console.print(line, soft_wrap=True)
    return int(any(prediction.error is not None for prediction in predictions))
