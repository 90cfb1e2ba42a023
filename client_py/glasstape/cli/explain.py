"""`glasstape explain`: predictions with their heat maps."""

import argparse
from collections.abc import Sequence
from datetime import datetime

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported
from glasstape.cli.predict import add_source, source

HELP = "show why: the (time x feature) heat map of a prediction"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    add_source(parser)
    parser.add_argument(
        "--method",
        default="gradient",
        help="gradient, gradient_x_input, integrated_gradients or occlusion (see `glasstape models NAME`)",
    )
    parser.add_argument("--score", default="margin", help="margin, logit, log_probability or up_minus_down")
    parser.add_argument("--target", help="down, flat or up (default: each one's winner)")
    parser.add_argument("--foil", help="class to compare with (default: the runner-up)")
    parser.add_argument("--baseline", help="mean or zero (default: the method's own)")
    parser.add_argument("--samples", type=int, default=0, help="steps of a path method (default: as needed)")


@reported
def run(options: argparse.Namespace) -> int:
    """Explain; the exit status is 1 if any item failed."""
    with connected(options) as client:
        explanations = client.explain(
            **source(options),
            method=options.method,
            score=options.score,
            target=options.target,
            foil=options.foil,
            baseline=options.baseline,
            samples=options.samples,
        )
        if options.json:
            for explanation in explanations:
                print_json(explanation)
        else:
            from rich.console import Console

            from glasstape.cli.render import caption, direction_text, heatmap_table

            console = Console()
            for number, explanation in enumerate(explanations):
                prediction = explanation.prediction
                name = prediction.symbol or f"#{number}"
                if prediction.confidence is None or prediction.model is None:
                    console.print(f"{name}: {prediction.error}", style="red")
                    continue
                model = client.model(f"{prediction.model.name}@{prediction.model.version}")
                times = []
                if prediction.symbol and prediction.bar_close_time:
                    bars = client.bars(prediction.symbol, model.interval, end=prediction.bar_close_time)
                    times = [bar.close_time for bar in bars if not bar.halted]
                console.print(direction_text(prediction.confidence), f"up {prediction.confidence.up:.1%}")
                console.print(heatmap_table(explanation, model, times, name))
                console.print(caption(explanation), style="dim")
                for driver in explanation.drivers:
                    share = "" if driver.share is None else f", {driver.share:.0%} of all"
                    console.print(
                        f"  {driver.feature} at {_bar(driver.time_index, model.time_steps, times)}: "
                        f"{driver.value:+.3f} (z {driver.z_score:+.1f}) -> {driver.attribution:+.4f}{share}"
                    )
    return int(any(explanation.prediction.error is not None for explanation in explanations))


def _bar(time_index: int, steps: int, times: "Sequence[datetime]") -> str:
    """The bar of a row in the window: its time if it is known, else its distance from the newest."""
    if len(times) < steps:
        return f"bar {time_index - steps + 1}"
    return f"{times[-steps:][time_index]:%Y-%m-%d %H:%M}"
