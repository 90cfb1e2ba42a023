"""Training one network. Reads top to bottom; equal seeds give equal weights, bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from glasstape_server.domain import Floats


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


Progress = Callable[[int, float, float], None]
"""Called after each pass with its number from 1, training loss and validation loss (nats)."""


def fit(
    make: Callable[[], nn.Module],
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    options: FitOptions,
    progress: Progress = lambda epoch, loss, validation: None,
) -> nn.Module:
    """Train a network on normalised windows and keep the weights of the best validation loss.

    Args:
        make: builds the network; called once the seed is set.
        training: windows (n, time, feature) and labels (n,).
        validation: the same of later data.
        options: how to train.
        progress: told after each pass.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads would not repeat bit for bit
    try:
        torch.manual_seed(options.seed)
        network = make()
        generator = torch.Generator().manual_seed(options.seed)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        loss_of = nn.CrossEntropyLoss()
        best, best_state, waited = float("inf"), network.state_dict(), 0
        for epoch in range(1, options.epochs + 1):
            network.train()
            losses = []
            for rows in torch.split(torch.randperm(len(training[0]), generator=generator), options.batch):
                optimiser.zero_grad()
                loss = loss_of(network(training[0][rows]), training[1][rows])
                loss.backward()
                optimiser.step()
                losses.append(float(loss.detach()))
            network.eval()
            with torch.no_grad():
                held = float(loss_of(network(validation[0]), validation[1]))
            progress(epoch, float(np.mean(losses)), held)
            waited += 1
            if held < best:
                best, waited = held, 0
                best_state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            if waited >= options.patience:
                break
        network.load_state_dict(best_state)
        return network.eval()
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def logits_of(network: nn.Module, windows: Tensor) -> Floats:
    """Logits (n, 3) of normalised windows, in double precision for what follows."""
    return np.concatenate([network(part).double().numpy() for part in torch.split(windows, 4096)])
