"""Training one network. Reads top to bottom; equal seeds give equal weights, bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glasstape_server.domain.values import Floats
from glasstape_server.training.batches import Examples, in_order
from glasstape_server.training.checkpoint import Checkpoint, CheckpointError, Progress


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to train."""

    seed: int = 0
    """Seed of initial weights, order of batches and dropout."""
    epochs: int = 40
    """Passes over the training windows, at most."""
    patience: int = 6
    """Passes without a better validation loss after which training stops."""
    batch: int = 256
    """Windows of one step."""
    learning_rate: float = 1e-3
    """Step size of AdamW."""
    weight_decay: float = 1e-2
    """Decay of AdamW."""

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW (Loshchilov and Hutter 2019) with these figures."""
        return torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
        )


Report = Callable[[int, float, float], None]
"""Called after each pass with its number from 1, training loss and validation loss (nats)."""


def fit(
    make: Callable[[], nn.Module],
    training: Examples,
    validation: Examples,
    options: FitOptions,
    report: Report = lambda epoch, loss, validation: None,
    checkpoint: Checkpoint | None = None,
) -> nn.Module:
    """Train a network on normalised windows and keep the weights of the best validation loss.

    Args:
        make: builds the network; called once the seed is set.
        training: what to learn from.
        validation: the same of later data.
        options: how to train.
        report: told after each pass.
        checkpoint: written after each pass; where it exists, training goes on from it as if it had never
            stopped.

    Raises:
        CheckpointError: the checkpoint is of another training.
        FloatingPointError: the loss is no number any more.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads would not repeat bit for bit
    try:
        torch.manual_seed(options.seed)
        network = make()
        order = torch.Generator().manual_seed(options.seed)
        optimiser = options.optimiser(network)
        done = checkpoint.restore(network, optimiser, order) if checkpoint is not None else None
        if done is not None and done.epoch > options.epochs:
            raise CheckpointError(
                f"epochs: {done.epoch} passes are made already, asked for: {options.epochs}"
            )
        done = done or Progress(best_weights=_copy(network))
        while done.epoch < options.epochs and done.waited < options.patience:
            done.epoch += 1
            numbers = torch.randperm(len(training), generator=order)
            loss = train_once(network, training, optimiser, numbers, options.batch)
            held = loss_of(network, validation)
            if not np.isfinite(loss + held):
                raise FloatingPointError(f"loss after pass {done.epoch} is {loss}, validation {held}")
            done.waited += 1
            if held < done.best:
                done.best, done.waited, done.best_weights = held, 0, _copy(network)
            if checkpoint is not None:
                checkpoint.save(done, network, optimiser, order)
            report(done.epoch, loss, held)
        network.load_state_dict(done.best_weights)
        return network.eval()
    finally:
        torch.set_num_threads(threads)


def train_once(
    network: nn.Module, training: Examples, optimiser: torch.optim.Optimizer, order: Tensor, batch: int
) -> float:
    """One pass over the examples of these numbers in this order; returns the mean loss in nats."""
    network.train()
    total = torch.zeros((), dtype=torch.float64)
    for numbers in torch.split(order, batch):
        windows, labels = training.take(numbers)
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(windows), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.detach() * len(numbers)
    return float(total) / len(order)


@torch.no_grad()
def loss_of(network: nn.Module, data: Examples) -> float:
    """Mean cross-entropy in nats; leaves the network in evaluation mode."""
    network.eval()
    total = sum(
        float(functional.cross_entropy(network(windows), labels, reduction="sum"))
        for windows, labels in in_order(data)
    )
    return total / len(data)


@torch.no_grad()
def logits_of(network: nn.Module, data: Examples) -> Floats:
    """Logits (n, 3) of normalised windows, in double precision for what follows."""
    return np.concatenate([network(windows).double().numpy() for windows, _ in in_order(data)])


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
