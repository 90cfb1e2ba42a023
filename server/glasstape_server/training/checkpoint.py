"""What an interrupted training goes on from: one safetensors file, written after every pass."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from glasstape_server.storage.files import replacing

STATE = "state"


class CheckpointError(ValueError):
    """This training cannot go on from that file; the text says why."""


@dataclass
class Progress:
    """Where a training stands after a pass."""

    epoch: int = 0
    best: float = float("inf")
    """Best validation loss so far, in nats."""
    waited: int = 0
    """Passes since."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)


class Checkpoint:
    """The file of one training.

    Args:
        path: where it lies.
        fingerprint: of everything that decides the result; a file of another training is refused.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        order: torch.Generator,
    ) -> None:
        """Write everything, complete or not at all."""
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in progress.best_weights.items()}
        for number, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in state.items()}
        tensors |= {"random.global": torch.get_rng_state(), "random.order": order.get_state()}
        figures = {name: value for name, value in asdict(progress).items() if name != "best_weights"}
        metadata = {STATE: json.dumps({**figures, "fingerprint": self._fingerprint})}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as draft:
            save_file(
                {name: tensor.contiguous().clone() for name, tensor in tensors.items()}, draft, metadata
            )

    def restore(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, order: torch.Generator
    ) -> Progress | None:
        """Set everything as it was after the last whole pass; None if there is no file.

        Raises:
            CheckpointError: the file is damaged, or another training's.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                state = json.loads(file.metadata()[STATE])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.path}: damaged ({error}); delete it to begin anew") from None
        if state.pop("fingerprint") != self._fingerprint:
            raise CheckpointError(f"{self.path}: is of other data or options; delete it to begin anew")
        network.load_state_dict(_under("network.", tensors))
        saved = optimiser.state_dict()
        for name, tensor in _under("optimiser.", tensors).items():
            number, _, what = name.partition(".")
            saved["state"].setdefault(int(number), {})[what] = tensor
        optimiser.load_state_dict(saved)
        torch.set_rng_state(tensors["random.global"])
        order.set_state(tensors["random.order"])
        return Progress(**state, best_weights=_under("best.", tensors))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
