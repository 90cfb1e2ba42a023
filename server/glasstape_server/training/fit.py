"""Training of one network. Equal seeds give bit-identical weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glasstape_server.domain.arrays import Floats
from glasstape_server.training.checkpoint import Checkpoint, CheckpointError, Progress
from glasstape_server.training.examples import Examples, batches_of
from glasstape_server.training.ranges import MAX_COUNT, MAX_SEED, check_range


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Hyperparameters of training."""

    seed: int = 0
    """Seed of initial weights, order of batches and dropout."""
    epochs: int = 40
    """Largest number of epochs."""
    patience: int = 6
    """Epochs without a better validation loss after which training stops."""
    batch: int = 256
    """Windows per step."""
    learning_rate: float = 1e-3
    """Learning rate of AdamW."""
    weight_decay: float = 1e-2
    """Weight decay of AdamW."""

    def __post_init__(self) -> None:
        check_range(self, "seed", 0, MAX_SEED)
        for name in ("epochs", "patience", "batch"):
            check_range(self, name, 1, MAX_COUNT)
        check_range(self, "learning_rate", 0, 1, above=True)
        check_range(self, "weight_decay", 0, 1)

    @property
    def limit(self) -> int:
        """Largest number of epochs."""
        return self.epochs

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW (Loshchilov and Hutter 2019) with these hyperparameters."""
        return torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
        )


EpochCallback = Callable[[int, float, float], None]
"""Called after each epoch with its number from 1, training loss and validation loss; see `loss_of`."""


def fit(
    make: Callable[[], nn.Module],
    training: Examples,
    validation: Examples,
    options: FitOptions,
    on_epoch: EpochCallback = lambda epoch, loss, validation: None,
    checkpoint: Checkpoint | None = None,
) -> nn.Module:
    """Train a network on normalized windows; return it with the weights of the best validation loss.

    Args:
        make: builds the network; called after seeding.
        training: examples to train on.
        validation: later examples, for early stopping.
        options: hyperparameters.
        on_epoch: called after each epoch.
        checkpoint: written after each epoch. If it exists, training resumes from it and gives the same weights as
            without interruption.

    Raises:
        CheckpointError: the checkpoint belongs to another training.
        FloatingPointError: the loss is not finite.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums over several threads are not reproducible
    try:
        torch.manual_seed(options.seed)
        network = make()
        order = torch.Generator().manual_seed(options.seed)
        optimizer = options.optimizer(network)
        progress = checkpoint.restore(network, optimizer, order) if checkpoint is not None else None
        if progress is not None and progress.epoch > options.epochs:
            raise CheckpointError(
                f"epochs: must be at least {progress.epoch}, which are done already, is {options.epochs}"
            )
        progress = progress or Progress(best_weights=_copy(network))
        while progress.epoch < options.epochs and progress.waited < options.patience:
            progress.epoch += 1
            numbers = torch.randperm(len(training), generator=order)
            loss = train_epoch(network, training, optimizer, numbers, options.batch)
            validation_loss = mean_loss(network, validation)
            if not np.isfinite(loss + validation_loss):
                raise FloatingPointError(
                    f"epoch {progress.epoch}: the loss is {loss}, the validation loss {validation_loss}"
                )
            progress.waited += 1
            if validation_loss < progress.best:
                progress.best, progress.waited, progress.best_weights = validation_loss, 0, _copy(network)
            if checkpoint is not None:
                checkpoint.save(progress, network, optimizer, order)
            on_epoch(progress.epoch, loss, validation_loss)
        network.load_state_dict(progress.best_weights)
        return network.eval()
    finally:
        torch.set_num_threads(threads)


def train_epoch(
    network: nn.Module, training: Examples, optimizer: torch.optim.Optimizer, order: Tensor, batch: int
) -> float:
    """Train for one epoch; return the mean loss.

    Args:
        network: to train.
        training: examples.
        optimizer: of the network's parameters.
        order: numbers of the examples, (n,), int64.
        batch: examples per step.
    """
    network.train()
    total = torch.zeros((), dtype=torch.float64)
    for numbers in torch.split(order, batch):
        windows, labels = training.take(numbers)
        optimizer.zero_grad()
        loss = loss_of(network(windows), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach() * len(numbers)
    return float(total) / len(order)


def loss_of(outputs: Tensor, labels: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the loss of outputs: cross-entropy, nats, of class indices; squared error of fractional labels.

    Args:
        outputs: (n, 3), or (n, 1) for fractional labels.
        labels: (n,).
        reduction: "mean" or "sum".
    """
    if labels.is_floating_point():
        return functional.mse_loss(outputs[:, 0], labels, reduction=reduction)
    return functional.cross_entropy(outputs, labels, reduction=reduction)


@torch.no_grad()
def mean_loss(network: nn.Module, data: Examples) -> float:
    """Return the mean loss. Leaves the network in evaluation mode."""
    network.eval()
    total = sum(
        float(loss_of(network(windows), labels, reduction="sum")) for windows, labels in batches_of(data)
    )
    return total / len(data)


@torch.no_grad()
def logits_of(network: nn.Module, data: Examples) -> Floats:
    """Return the outputs of all examples, (n, output), float64: logits of the classes, or the score of a rank head."""
    return np.concatenate([network(windows).double().numpy() for windows, _ in batches_of(data)])


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
