"""Checkpoints of a training: one safetensors file, written after every pass over the data."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from glasstape_server.storage.files import replacing

STATE = "state"


def checkpoint_files(folder: Path, name: str, version: str) -> tuple[Path, Path]:
    """Return the checkpoints of a model's network and of its rank head."""
    network, head = (folder / f"{name}-{version}{part}.safetensors" for part in ("", ".rank"))
    return network, head


class CheckpointError(ValueError):
    """A checkpoint that this training cannot resume from; the text gives the cause."""


@dataclass
class Progress:
    """State of a training after a pass."""

    epoch: int = 0
    best: float = float("inf")
    """Best validation loss so far, in nats."""
    waited: int = 0
    """Passes since the best."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)


class Checkpoint:
    """The checkpoint file of one training.

    Args:
        path: the file.
        fingerprint: of everything that decides the result; a checkpoint with another one is refused.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        order: torch.Generator,
    ) -> None:
        """Write the state of a training, all or nothing.

        Args:
            progress: what was reached.
            network: its weights.
            optimizer: its moments.
            order: generator of the order of the examples.
        """
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in progress.best_weights.items()}
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
        tensors |= {"random.global": torch.get_rng_state(), "random.order": order.get_state()}
        figures = {name: value for name, value in asdict(progress).items() if name != "best_weights"}
        metadata = {STATE: json.dumps({**figures, "fingerprint": self._fingerprint})}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as draft:
            save_file(
                {name: tensor.contiguous().clone() for name, tensor in tensors.items()}, draft, metadata
            )

    def restore(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, order: torch.Generator
    ) -> Progress | None:
        """Restore the state after the last complete pass; return what was reached, None without a file.

        Raises:
            CheckpointError: the file is damaged, or of another training.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                state = json.loads(file.metadata()[STATE])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.path}: damaged ({error}); delete it to start over") from None
        if state.pop("fingerprint") != self._fingerprint:
            raise CheckpointError(
                f"{self.path}: was made with other data or options; delete it to start over"
            )
        network.load_state_dict(_under("network.", tensors))
        saved = optimizer.state_dict()
        for name, tensor in _under("optimizer.", tensors).items():
            number, _, field_name = name.partition(".")
            saved["state"].setdefault(int(number), {})[field_name] = tensor
        optimizer.load_state_dict(saved)
        torch.set_rng_state(tensors["random.global"])
        order.set_state(tensors["random.order"])
        return Progress(**state, best_weights=_under("best.", tensors))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
