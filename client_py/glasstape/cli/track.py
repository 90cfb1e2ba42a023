"""`glasstape track`: how signals turned out."""

import argparse

from glasstape.cli.connect import add_json, add_server, connected, print_json, reported

HELP = "show the track record: hit rates against base rates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_server(parser)
    add_json(parser)
    parser.add_argument("symbols", nargs="*", help="only these symbols (default: all)")
    parser.add_argument("--model", default="", help="only this model (default: all)")
    parser.add_argument("--exclude-abstained", action="store_true", help="leave abstained signals out")


@reported
def run(options: argparse.Namespace) -> int:
    """Show; returns the exit status."""
    with connected(options) as client:
        track = client.track_record(
            model=options.model,
            symbols=options.symbols,
            exclude_abstained=options.exclude_abstained,
        )
    if options.json:
        print_json(track)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("called", "n", "hit rate", "95 % interval", "base rate", "mean return")
    for record in track.records:
        name = record.predicted.name if record.predicted is not None else "UP and DOWN"
        if not record.count:
            table.add_row(name, "0", *["-"] * 4)
            continue
        table.add_row(
            name, str(record.count), f"{record.hit_rate:.1%}",
            f"{record.hit_rate_low:.1%} - {record.hit_rate_high:.1%}",
            f"{record.base_rate:.1%}", f"{record.mean_return:+.3%}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(f"{track.outcomes} outcomes; Brier score {track.brier_score:.4f} (knowing nothing: 0.6667)")
    return 0
