"""Options of the fit of networks and trees, shared by `train` and `retrain`."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glasstape_server.cli.arguments import positive

if TYPE_CHECKING:
    from glasstape_server.training.boosting import BoostingOptions
    from glasstape_server.training.fit import FitOptions


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; an option that is not given has the default of its architecture."""
    parser.add_argument(
        "--epochs", type=positive, default=40, help="largest number of epochs (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds",
        type=positive,
        default=300,
        help="largest number of boosting rounds (default: %(default)s)",
    )
    parser.add_argument(
        "--patience",
        type=positive,
        metavar="N",
        help="epochs or rounds without a better validation loss before training stops (default: 6, of trees 30)",
    )
    parser.add_argument("--batch", type=positive, help="windows per step of networks (default: 256)")
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="learning rate of networks or of trees, above 0, at most 1 (default: 0.001, of trees 0.05)",
    )
    parser.add_argument(
        "--weight-decay", type=float, metavar="DECAY", help="weight decay of networks, 0-1 (default: 0.01)"
    )


def given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of these names that were set."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def fit_options(
    options: argparse.Namespace, architectures: Sequence[str]
) -> "tuple[FitOptions, BoostingOptions]":
    """Return the options of networks and of trees.

    Args:
        options: of the command.
        architectures: to train.

    Raises:
        ValueError: an option is out of range, or has two meanings for these architectures.
    """
    from glasstape_server.models.networks.architectures import BOOSTED
    from glasstape_server.training.boosting import BoostingOptions
    from glasstape_server.training.fit import FitOptions

    trees = [name for name in architectures if name in BOOSTED]
    networks = [name for name in architectures if name not in BOOSTED]
    if options.learning_rate is not None and trees and networks:
        raise ValueError(
            f"--learning-rate: must be set for networks or for trees alone, --arch has {networks[0]} and {trees[0]}"
        )
    shared = given(options, "patience", "learning_rate")
    own = {"epochs": options.epochs, **given(options, "batch", "weight_decay")}
    try:
        return (
            FitOptions(seed=options.seed, **own, **(shared if networks else {})),
            BoostingOptions(seed=options.seed, rounds=options.rounds, **(shared if trees else {})),
        )
    except ValueError as error:
        raise ValueError(f"--{_option_of(str(error))}") from None


def _option_of(message: str) -> str:
    """Return a message about a field as one about the option of its name."""
    field, _, rest = message.partition(":")
    return f"{field.replace('_', '-')}:{rest}"
