"""Options --arch and --head: networks and trees to train or evaluate, and what they predict."""

import argparse
from collections.abc import Sequence

HEADS = ("classes", "classes+rank")


def add_head(parser: argparse.ArgumentParser) -> None:
    """Add the --head option."""
    parser.add_argument(
        "--head",
        choices=HEADS,
        default=HEADS[0],
        help="classes alone, or also a score that ranks the symbols of a close (default: %(default)s)",
    )


def has_rank_head(options: argparse.Namespace) -> bool:
    """Return whether the option asks for a rank head."""
    return bool(options.head == HEADS[1])


def architectures(names: Sequence[str]) -> list[str]:
    """Return the architectures of the option, each once; "all" stands for every network and for trees.

    Raises:
        ValueError: a name is unknown, none is given, or LightGBM is not installed.
    """
    from glasstape_server.models.networks.architectures import ARCHITECTURES, BUILDABLE
    from glasstape_server.training.boosting import check_installed

    chosen = [*ARCHITECTURES, "trees"] if list(names) == ["all"] else list(dict.fromkeys(names))
    unknown = sorted(set(chosen) - set(BUILDABLE))
    if unknown or not chosen:
        rule = f"must be of {', '.join(BUILDABLE)} or all"
        raise ValueError(f"--arch: {rule}, is {', '.join(unknown) or 'empty'}")
    for name in chosen:
        check_installed(name)
    return chosen


def check_shape(names: Sequence[str], shape: tuple[int, int]) -> None:
    """Check that architectures take windows of a shape (time, feature).

    Raises:
        ValueError: one does not.
    """
    from glasstape_server.models.networks.architectures import default_config

    for name in names:
        default_config(name, *shape)
