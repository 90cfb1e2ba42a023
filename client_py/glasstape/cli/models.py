"""`glasstape models`: what the server can say, and what it is worth."""

import argparse

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "list the server's models, or describe one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    parser.add_argument("model", nargs="?", help="NAME or NAME@VERSION (default: list all)")


@reported
def run(options: argparse.Namespace) -> int:
    """List or describe; returns the exit status."""
    with connected(options) as client:
        found = [client.model(options.model)] if options.model else client.models()
    if options.json:
        for model in found:
            print_json(model)
        return 0
    from rich.console import Console
    from rich.table import Table

    console = Console()
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
    console.print(
        f"digest    {model.ref.digest}\nlabel     {model.label_rule}\ndata      {model.training_data}"
    )
    console.print(f"needs     {model.min_bars} bars; abstains below {model.abstain_threshold:.1%}")
    console.print(f"methods   {', '.join(method.value for method in model.methods)}")
    for feature in model.features:
        console.print(f"  {feature.name:<18} {feature.description}", highlight=False)
    for check in model.checks:
        console.print(
            f"{'passed ' if check.passed else 'FAILED '} {check.name}: {check.text}", highlight=False
        )
    for name, value in model.metrics.items():
        console.print(f"  {name:<30} {value:.4f}", highlight=False)
    return 0
