"""`glasstape models`: what the server can say, and what it is worth."""

import argparse
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported, wide_console
from glasstape.types.enums import CalibrationState, ModelState

if TYPE_CHECKING:
    from glasstape import Estimate

HELP = "list the server's models, describe one, or promote one"
ACTIONS = "glasstape.models"
"""Entry points of what is done to models on disk: called with the folder and NAME@VERSION."""
PROMOTE = "promote"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    parser.add_argument(
        "model",
        nargs="*",
        help="NAME or NAME@VERSION to describe (default: list all); promote NAME@VERSION makes a version publish",
    )
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="promote: folder of artifacts (default: models)"
    )


def run(options: argparse.Namespace) -> int:
    """List, describe or promote; returns the exit status."""
    if options.model[:1] == [PROMOTE]:
        return _promote(options)
    if len(options.model) > 1:
        print(f"glasstape models: one model at a time, given: {' '.join(options.model)}", file=sys.stderr)
        return 2
    options.model = next(iter(options.model), "")
    return _show(options)


def _promote(options: argparse.Namespace) -> int:
    if len(options.model) != 2:
        print(f"glasstape models {PROMOTE}: give one NAME@VERSION", file=sys.stderr)
        return 2
    found = entry_points(group=ACTIONS, name=PROMOTE)
    if not found:
        print("glasstape models promote needs the server: pip install 'glasstape[server]'", file=sys.stderr)
        return 1
    return int(next(iter(found)).load()(options.models, options.model[1]))


@reported
def _show(options: argparse.Namespace) -> int:
    with connected(options) as client:
        found = [client.model(options.model)] if options.model else client.models()
        active = next((m.ref for m in client.models() if m.state is ModelState.ACTIVE), None)
    if options.json:
        for model in found:
            print_json(model)
        return 0
    from rich.table import Table

    console = wide_console()
    if not options.model:
        table = Table()
        table.add_column("model", no_wrap=True)
        for name in ("state", "network", "bars", "accuracy", "base rate", "failed checks", "refused because"):
            table.add_column(name)
        for model in found:
            accuracy, base = (model.metrics.get(f"validation/{name}") for name in ("accuracy", "base_rate"))
            table.add_row(
                f"{model.ref.name}@{model.ref.version}", model.state.value, model.architecture, model.interval,
                "" if accuracy is None else f"{accuracy:.1%}", "" if base is None else f"{base:.1%}",
                ", ".join(check.name for check in model.checks if not check.passed), model.refusal,
            )  # fmt: skip
        console.print(table)
        return 0
    model = found[0]
    console.print(
        f"[bold]{model.ref.name}@{model.ref.version}[/bold] ({model.state.value}), "
        f"{model.architecture}, {model.interval} bars"
    )
    if active is not None and active.name == model.ref.name and active != model.ref:
        console.print(
            f"[bold]{active.name}@{active.version}[/bold] is the one that publishes", highlight=False
        )
    console.print(
        f"digest    {model.ref.digest}\nlabel     {model.label_rule}\ndata      {model.training_data}"
    )
    console.print(f"needs     {model.min_bars} bars; abstains below {model.abstain_threshold:.1%}")
    console.print(f"methods   {', '.join(method.value for method in model.methods)}")
    for feature in model.features:
        console.print(f"  {feature.name:<18} {feature.description}", highlight=False)
    if model.live is not None:
        live = model.live
        console.print(
            f"live      {_STATES[live.state]} over {live.sessions} sessions, {live.outcomes} outcomes: winner "
            f"{_gap(live.winner_gap)}, UP {_gap(live.up_gap)}; {live.novel_share.value:.1%} novel windows"
            f"{', inputs have drifted' if live.drifted else ''}",
            highlight=False,
        )
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
    return 0


_STATES = {
    CalibrationState.UNSPECIFIED: "not said",
    CalibrationState.UNKNOWN: "too early to tell (more than 60 sessions are needed)",
    CalibrationState.HOLDS: "calibrated",
    CalibrationState.BROKEN: "OUT OF CALIBRATION",
}


def _gap(gap: "Estimate") -> str:
    return f"{100 * gap.value:+.1f} points ({100 * gap.low:+.1f} … {100 * gap.high:+.1f})"
