"""`glasstape explain`: show predictions with their heat maps."""

import argparse
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported
from glasstape.cli.predict import add_source, source

if TYPE_CHECKING:
    from rich.console import Console

    from glasstape import Client, Explanation, Model

HELP = "show the (time x feature) heat map of a prediction"
FORMATS = (".png", ".svg")
DEFAULT_METHOD = "scaled_path_gradient"
MAX_BARS = 4096
"""Bars of one symbol in a request."""
METHODS = (
    "gradient, gradient_x_input, smoothgrad, integrated_gradients, expected_gradients, occlusion, shapley_bars, "
    "shapley_features, grad_cam, grad_cam_x_gradient, attention, attention_x_gradient, scaled_gradient, "
    "scaled_path_gradient or counterfactual"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_json(parser)
    add_source(parser)
    parser.add_argument(
        "--method",
        help=f"{METHODS}; `glasstape models NAME` lists those of a model (default: {DEFAULT_METHOD})",
    )
    parser.add_argument("--compare", action="store_true", help="compare every method of the model")
    parser.add_argument(
        "--score",
        default="unspecified",
        help="score to explain: margin, logit, log_probability or up_minus_down (default: by method)",
    )
    parser.add_argument(
        "--target", help="class to explain: down, flat or up (default: the winning class of each item)"
    )
    parser.add_argument("--foil", help="class to compare with (default: the highest other class)")
    parser.add_argument(
        "--baseline",
        help="reference input: mean, zero, or previous, the window of the previous signal (default: by method)",
    )
    parser.add_argument("--samples", type=int, default=0, help="steps or draws (default: by method)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of methods that draw random numbers (default: 0)"
    )
    parser.add_argument(
        "--quality", default="fast", help="checks of the map: none, fast or full (default: fast)"
    )
    parser.add_argument(
        "--language", choices=("en", "ko"), default="en", help="language of the sentences (default: en)"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the maps as a .png or .svg file")


@reported
def run(options: argparse.Namespace) -> int:
    """Explain; the exit status is 1 if any item failed."""
    if options.save and options.json:
        raise ValueError("--save: must not be combined with --json")
    if options.save and options.save.suffix.lower() not in FORMATS:
        raise ValueError(f"--save: must end in {' or '.join(FORMATS)}, is {options.save.name!r}")
    if options.save and not options.save.parent.is_dir():
        raise ValueError(f"--save: the folder must exist: {options.save.parent}")
    with connected(options) as client:
        explanations = _compared(client, options) if options.compare else _explained(client, options)
        if options.json:
            for explanation in explanations:
                print_json(explanation)
        else:
            _show(client, explanations, options)
    return int(any(explanation.error is not None for explanation in explanations))


def _explained(client: "Client", options: argparse.Namespace) -> "list[Explanation]":
    return client.explain(
        **source(options),
        method=options.method or DEFAULT_METHOD,
        score=options.score,
        target=options.target,
        foil=options.foil,
        baseline=options.baseline,
        samples=options.samples,
        seed=options.seed,
        quality=options.quality,
    )


def _compared(client: "Client", options: argparse.Namespace) -> "list[Explanation]":
    """Explain the first item by every method of its model."""
    from glasstape import Method

    inputs = source(options)
    windows = inputs.get("windows")
    items = inputs.get("symbols") or inputs.get("signals") or [()]
    if len(items) != 1 or (windows is not None and windows.ndim == 3 and len(windows) != 1):
        raise ValueError("--compare: requires exactly one item")
    chosen = (options.method, options.target, options.foil, options.samples, options.baseline)
    if any(chosen) or options.score != "unspecified":
        raise ValueError(
            "--compare: must not be combined with --method, --target, --foil, --baseline, --samples or --score"
        )
    first = client.explain(**inputs, quality="none")[0]
    if first.model is None or first.prediction is None:
        return [first]
    ref = first.model
    model = client.model(f"{ref.name}@{ref.version}")
    # Pin the version and the window: a deployment or a bar close meanwhile must not change them.
    name = f"{ref.name}@{ref.version}"
    pinned: dict[str, Any] = inputs if "signals" in inputs else {**inputs, "model": name}
    edited = pinned
    if "symbols" in inputs:
        bars = client.bars(first.prediction.symbol, model.interval, end=first.prediction.bar_close_time)
        edited = {"bars": [[bar for bar in bars if not bar.halted][-MAX_BARS:]], "model": pinned["model"]}
        pinned = {"windows": first.window, "model": pinned["model"]}
    explanations = []
    for method in model.methods:
        # Their papers explain a single logit.
        score = "logit" if method in (Method.GRAD_CAM, Method.ATTENTION) else "unspecified"
        explanation = client.explain(
            **(edited if method is Method.COUNTERFACTUAL else pinned),
            method=method,
            score=score,
            seed=options.seed,
            quality=options.quality,
        )[0]
        explanations.append(
            replace(explanation, prediction=first.prediction, bar_close_times=first.bar_close_times)
        )
    return explanations


def _show(client: "Client", explanations: "list[Explanation]", options: argparse.Namespace) -> None:
    from rich.text import Text

    from glasstape.cli.output import make_console

    console = make_console()
    zones = _zones(client)
    models: dict[str, Model] = {}
    drawn = []
    for number, explanation in enumerate(explanations):
        name = explanation.symbol or f"#{number}"
        if explanation.model is None:
            console.print(Text(f"{name}: {explanation.error}", "red"))
            continue
        ref = f"{explanation.model.name}@{explanation.model.version}"
        model = models.setdefault(ref, client.model(ref) if ref not in models else models[ref])
        drawn.append((name, explanation, model, zones.get(explanation.symbol, UTC)))
    if options.compare and drawn:
        _show_compared(console, drawn, options.language)
    elif not options.compare:
        for name, explanation, model, zone in drawn:
            _show_one(console, name, explanation, model, zone, options.language)
    if options.save and drawn:
        _save(options, drawn)
        console.print(f"saved {options.save}")


_Drawn = tuple[str, "Explanation", "Model", tzinfo]


def _show_one(
    console: "Console", name: str, explanation: "Explanation", model: "Model", zone: tzinfo, language: str
) -> None:
    from glasstape import in_words
    from glasstape.cli.render import HeatmapTable, caption, direction_text, missing_text

    confidence = explanation.confidence
    console.print(direction_text(confidence), f"{confidence.winning:.1%} (up {confidence.up:.1%})")
    if explanation.counterfactual is None or explanation.counterfactual.found:
        console.print(HeatmapTable(explanation, model, name, zone))
    console.print(caption(explanation), style="dim")
    if (prediction := explanation.prediction) is not None:
        if prediction.missing_bars:
            note = missing_text(prediction.missing_bars).strip()
            console.print(f"{note} in the window: rejected or never received", style="yellow")
        if prediction.missing_symbols:
            note = missing_text(0, prediction.missing_symbols).strip()
            console.print(f"{note} when the window's closes were ranked", style="yellow")
    for sentence in in_words(explanation, language, zone):
        console.print(f"  {sentence}", highlight=False)


def _show_compared(console: "Console", drawn: list[_Drawn], language: str) -> None:
    from rich.columns import Columns
    from rich.text import Text

    from glasstape import Method, in_words
    from glasstape.cli.render import NUMBERED_BARS, direction_text, small_map
    from glasstape.words import bar_labels

    name, first, model, zone = drawn[0]
    confidence = first.confidence
    console.print(Text(f"{name}, {model.ref.name}@{model.ref.version} ({model.architecture})"))
    console.print(direction_text(confidence), f"{confidence.winning:.1%} (up {confidence.up:.1%})")
    bars = bar_labels(first.bar_close_times, model.time_steps, zone)
    numbered = model.time_steps <= NUMBERED_BARS
    shown = range(model.time_steps) if numbered else (0, model.time_steps - 1)
    times = (", " if numbered else " … ").join(bars(row) for row in shown)
    numbers = "; numbers are tenths of each map's peak" if numbered else ""
    console.print(f"bars, from left to right: {times}{numbers}", style="dim")
    console.print(Columns([small_map(item, model, item.method.value) for _, item, _, _ in drawn]))
    for _, explanation, _, zone in drawn:
        if explanation.method in (Method.INTEGRATED_GRADIENTS, Method.COUNTERFACTUAL):
            console.print(f"{explanation.method.value}:")
            for sentence in in_words(explanation, language, zone):
                console.print(f"  {sentence}", highlight=False)


def _save(options: argparse.Namespace, drawn: list[_Drawn]) -> None:
    from glasstape.cli.picture import Picture, save

    name, first, model, _ = drawn[0]
    confidence = first.confidence
    title = (
        f"{name}: {confidence.direction.name} {confidence.winning:.1%} ({model.ref.name}@{model.ref.version})"
    )
    if not options.compare and len(drawn) > 1:
        title = f"{model.ref.name}@{model.ref.version}"
    pictures = [
        Picture(explanation.method.value if options.compare else item, explanation, used, zone)
        for item, explanation, used, zone in drawn
    ]
    save(options.save, pictures, title)


def _zones(client: "Client") -> dict[str, tzinfo]:
    """Return the time zone of each symbol's exchange."""
    from zoneinfo import ZoneInfo

    return {item.symbol: ZoneInfo(item.time_zone) for item in client.instruments()}
