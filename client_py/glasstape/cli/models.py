"""`glasstape models`: list, describe and promote models."""

import argparse
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console
from glasstape.cli.live import live_lines
from glasstape.cli.skill import ranking_text, skill_text
from glasstape.types.enums import ModelState, ModelView

if TYPE_CHECKING:
    from glasstape import Model, ModelRef

HELP = "list, describe or promote models"
ACTIONS = "glasstape.models"
"""Entry points of actions on models on disk, called with the folder and NAME@VERSION."""
PROMOTE = "promote"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_server(parser)
    add_json(parser)
    parser.add_argument(
        "model",
        nargs="*",
        help="NAME or NAME@VERSION to describe (default: list all); `promote NAME@VERSION` makes it the active model",
    )
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("models"),
        help="with promote: folder of the artifacts (default: models)",
    )


def run(options: argparse.Namespace) -> int:
    """List, describe or promote; returns the exit status."""
    if options.model[:1] == [PROMOTE]:
        return _promote(options)
    if len(options.model) > 1:
        print(f"glasstape models: must be one model, got {' '.join(options.model)}", file=sys.stderr)
        return 2
    options.model = next(iter(options.model), "")
    return _show(options)


def _promote(options: argparse.Namespace) -> int:
    if len(options.model) != 2:
        print(f"glasstape models {PROMOTE}: requires one NAME@VERSION", file=sys.stderr)
        return 2
    actions = entry_points(group=ACTIONS, name=PROMOTE)
    if not actions:
        print(
            "glasstape models promote: requires the server: pip install 'glasstape[server]'", file=sys.stderr
        )
        return 1
    return int(next(iter(actions)).load()(options.models, options.model[1]))


@reported
def _show(options: argparse.Namespace) -> int:
    with connected(options) as client:
        models = [client.model(options.model)] if options.model else client.models()
        basic = client.models(view=ModelView.BASIC)
    active = next((model.ref for model in basic if model.state is ModelState.ACTIVE), None)
    if options.json:
        for model in models:
            print_json(model)
    elif options.model:
        _describe(models[0], active)
    else:
        _list(models)
    return 0


def _list(models: "list[Model]") -> None:
    from rich.table import Table

    console = wide_console()
    table = Table()
    table.add_column("model", no_wrap=True)
    for name in ("state", "network", "bars", "accuracy", "base rate", "failed checks", "refusal"):
        table.add_column(name)
    for model in models:
        accuracy, base = (model.metrics.get(f"validation/{name}") for name in ("accuracy", "base_rate"))
        table.add_row(
            f"{model.ref.name}@{model.ref.version}", model.state.value, model.architecture, model.interval,
            "" if accuracy is None else f"{accuracy:.1%}", "" if base is None else f"{base:.1%}",
            ", ".join(check.name for check in model.checks if not check.passed), model.refusal,
        )  # fmt: skip
    console.print(table)


def _describe(model: "Model", active: "ModelRef | None") -> None:
    console = wide_console()
    console.print(
        f"[bold]{model.ref.name}@{model.ref.version}[/bold] ({model.state.value}), "
        f"{model.architecture}, {model.interval} bars"
    )
    if active is not None and active.name == model.ref.name and active != model.ref:
        console.print(f"active    {active.name}@{active.version}", highlight=False)
    console.print(
        f"digest    {model.ref.digest}\nlabel     {model.label_rule}\ndata      {model.training_data}"
    )
    console.print(f"min bars  {model.min_bars}\nabstains  below {model.abstain_threshold:.1%}{_kept(model)}")
    console.print(f"methods   {', '.join(method.value for method in model.methods)}")
    widest = max(18, *(len(feature.name) for feature in model.features))
    for feature in model.features:
        console.print(f"  {feature.name:<{widest}} {feature.description}", highlight=False)
    if model.skill is not None:
        console.print(f"skill     {skill_text(model.skill)}", highlight=False, soft_wrap=True)
    if model.rank_ic:
        console.print(f"ranking   {ranking_text(model.rank_ic)}", highlight=False, soft_wrap=True)
    for number, line in enumerate(live_lines(model.live) if model.live is not None else ()):
        console.print(f"{'drift ' if number else 'live  '}    {line}", highlight=False, soft_wrap=True)
    if model.shadow is not None:
        shadow = model.shadow
        console.print(
            f"shadow    disagreed with {shadow.against.name}@{shadow.against.version} in {shadow.rate:.1%} of "
            f"{shadow.compared} windows",
            highlight=False,
        )
    for check in model.checks:
        console.print(
            f"{'passed ' if check.passed else 'FAILED '} {check.name}: {check.text}", highlight=False
        )
    for name, value in model.metrics.items():
        console.print(f"  {name:<30} {value:.4f}", highlight=False)


def _kept(model: "Model") -> str:
    """Return what abstention leaves of the calls on validation windows; "" if that is not known."""
    calls, kept = (model.metrics.get(f"validation/{name}") for name in ("calls", "kept_calls"))
    return f", which keeps {kept / calls:.0%} of the UP and DOWN calls" if calls and kept is not None else ""
