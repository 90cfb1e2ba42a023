"""`glasstape explain`: show predictions with their heat maps."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported
from glasstape.cli.predict import add_source, source

if TYPE_CHECKING:
    from glasstape import Client
    from glasstape.cli.explain_requests import ItemMaps

HELP = "show the (time x feature) heat map of a prediction"
FORMATS = (".png", ".svg")
FULL_ITEMS = 64
"""Items up to which every check is run by default: about 10 ms for the two maps of an item."""
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
        help=f"show one map: {METHODS}; `glasstape models NAME` lists those of a model (default: two maps, "
        "importance by scaled_path_gradient and contributions by integrated_gradients)",
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
        "--quality",
        help=f"checks of the map: none, fast or full, which adds the trust in it (default: full for up to {FULL_ITEMS} "
        "items, else fast)",
    )
    parser.add_argument(
        "--language",
        choices=("en", "ko"),
        default="en",
        help="language of titles and sentences (default: en)",
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the maps as a .png or .svg file")


@reported
def run(options: argparse.Namespace) -> int:
    """Explain; the exit status is 1 if any item failed.

    With --json, each map is one object: of an item first the importance, then the contributions.
    """
    if options.save and options.json:
        raise ValueError("--save: must not be combined with --json")
    if options.save and options.save.suffix.lower() not in FORMATS:
        raise ValueError(f"--save: must end in {' or '.join(FORMATS)}, is {options.save.name!r}")
    if options.save and not options.save.parent.is_dir():
        raise ValueError(f"--save: the folder must exist: {options.save.parent}")
    with connected(options) as client:
        items = _explained(client, options)
        if options.json:
            for item in items:
                for explanation in item.explanations:
                    print_json(explanation)
        else:
            from glasstape.cli.explain_view import show

            show(client, items, compare=options.compare, language=options.language, save=options.save)
    return int(any(item.failed for item in items))


def _explained(client: "Client", options: argparse.Namespace) -> "list[ItemMaps]":
    from glasstape.cli.explain_requests import ItemMaps, explain_by_all, explain_by_two

    inputs = source(options)
    count = _count(inputs)
    quality = options.quality or ("full" if count <= FULL_ITEMS else "fast")
    if options.compare:
        _check_compared(options, count)
        return explain_by_all(client, inputs, seed=options.seed, quality=quality)
    parameters = {
        "score": options.score,
        "target": options.target,
        "foil": options.foil,
        "baseline": options.baseline,
        "samples": options.samples,
        "seed": options.seed,
        "quality": quality,
    }
    if options.method is None:
        return explain_by_two(client, inputs, parameters)
    return [ItemMaps([item]) for item in client.explain(**inputs, method=options.method, **parameters)]


def _count(inputs: dict[str, Any]) -> int:
    """Return the number of items."""
    windows = inputs.get("windows")
    if windows is not None:
        return len(windows) if windows.ndim == 3 else 1
    return len(inputs.get("symbols") or inputs["signals"])


def _check_compared(options: argparse.Namespace, count: int) -> None:
    """Check the options of a comparison.

    Raises:
        ValueError: it is not of one item, or an option does not apply to every method.
    """
    if count != 1:
        raise ValueError("--compare: requires exactly one item")
    chosen = (options.method, options.target, options.foil, options.samples, options.baseline)
    if any(chosen) or options.score != "unspecified":
        raise ValueError(
            "--compare: must not be combined with --method, --target, --foil, --baseline, --samples or --score"
        )
