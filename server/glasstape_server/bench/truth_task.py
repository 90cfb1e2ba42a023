"""What `glasstape bench truth` trains and explains."""

from dataclasses import dataclass, replace
from itertools import product

from glasstape_server.bench.known_truth.sets import KINDS, WITHOUT_CELLS
from glasstape_server.models.networks.architectures import ARCHITECTURES, BOOSTED

BAYES = "bayes"
"""Name of the Bayes-optimal classifier among the networks."""
MAX_EPOCHS = {"axial": 1}
"""Limit of epochs for expensive networks."""
SHUFFLED = "moving"
"""Set for the label randomization check (Adebayo et al. 2018, section 3.2). Its salient cells move, so that no fixed
weights can coincide with them."""


@dataclass(frozen=True, kw_only=True)
class TruthTask:
    """One network, trained once on one set."""

    architecture: str
    """Name of an architecture or of a kind of trees, or `BAYES`."""
    kind: str
    steps: int = 6
    features: int = 8
    seed: int = 0
    windows: int = 256_000
    """Training windows."""
    epochs: int = 2
    test: int = 400
    """Windows of which the correctly classified ones are explained."""
    permuted: bool = False
    """Whether to train on shuffled labels, for the label randomization check."""

    @property
    def shape(self) -> str:
        """Of the windows, such as "6x8"."""
        return f"{self.steps}x{self.features}"


def plan(
    networks: list[str],
    kinds: list[str],
    shapes: list[str],
    seeds: int,
    *,
    windows: int,
    epochs: int,
    test: int,
) -> list[TruthTask]:
    """Return the tasks of every combination, and of each network once with shuffled labels.

    Args:
        networks: names of architectures and of kinds of trees, or `BAYES`; empty for all but trees.
        kinds: names of known-truth sets; empty for all.
        shapes: of the windows, such as "6x8".
        seeds: per network and set.
        windows: number of training windows.
        epochs: of training.
        test: number of test windows.

    Raises:
        ValueError: a name is unknown, a shape is invalid, or no combination can be run.
    """
    differentiable = [BAYES, *ARCHITECTURES]
    known_networks = [*differentiable, *BOOSTED]
    for field_name, names, known in (("networks", networks, known_networks), ("kinds", kinds, list(KINDS))):
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ValueError(f"{field_name}: must be of {', '.join(known)}, is {', '.join(unknown)}")
    tasks = []
    sides = [_sides(shape) for shape in shapes]
    for (steps, features), seed, kind, network in product(
        sides, range(seeds), kinds or KINDS, networks or differentiable
    ):
        if network == BAYES and kind in WITHOUT_CELLS:
            continue
        task = TruthTask(
            architecture=network,
            kind=kind,
            steps=steps,
            features=features,
            seed=seed,
            windows=windows,
            epochs=min(epochs, MAX_EPOCHS.get(network, epochs)),
            test=test,
        )
        tasks.append(task)
        if seed == 0 and kind == SHUFFLED and network != BAYES:
            tasks.append(replace(task, permuted=True))
    if not tasks:
        raise ValueError(f"kinds: must have a set with salient cells for {BAYES}, is {', '.join(kinds)}")
    return tasks


def _sides(shape: str) -> tuple[int, int]:
    sides = shape.split("x")
    if len(sides) != 2 or not all(side.isdigit() for side in sides):
        raise ValueError(f"shapes: must look like 6x8, is {shape!r}")
    return int(sides[0]), int(sides[1])
