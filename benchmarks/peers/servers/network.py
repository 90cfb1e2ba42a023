"""The network that every peer serves: the layers and sizes of Glasstape's conv1d, random weights, plain torch.

This folder is never imported by Glasstape: each peer runs its file with a Python of its own, this one beside it.
"""

import numpy as np
import torch
from torch import Tensor, nn

TIME_STEPS, FEATURES, CLASSES = 6, 8, 3
WINDOW_BYTES = TIME_STEPS * FEATURES * 4


class Conv1d(nn.Module):
    """Two convolutions over time, mean over time, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(FEATURES, 32, 3, padding=1)
        self.second = nn.Conv1d(32, 64, 3, padding=1)
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, class) of windows (batch, time, feature)."""
        x = torch.relu(self.second(torch.relu(self.first(x.transpose(1, 2)))))
        return self.head(x.mean(dim=2))  # type: ignore[no-any-return]


def network() -> nn.Module:
    """The network for serving, frozen; one thread per operation, as Glasstape has it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return Conv1d().eval().requires_grad_(False)


def windows_of(data: bytes) -> np.ndarray:
    """Windows (n, time, feature) of little-endian float32 bytes."""
    return np.frombuffer(data, "<f4").reshape(-1, TIME_STEPS, FEATURES)


@torch.inference_mode()
def logits_of(net: nn.Module, windows: np.ndarray) -> np.ndarray:
    """Logits (n, class) of windows."""
    return net(torch.tensor(windows)).numpy()  # type: ignore[no-any-return]


def logits_of_each(net: nn.Module, requests: list[bytes]) -> list[bytes]:
    """Bytes of the logits of each request, all computed as one batch: calls may differ in their windows."""
    windows = windows_of(b"".join(requests))
    ends = np.cumsum([len(request) // WINDOW_BYTES for request in requests])
    return [part.tobytes() for part in np.split(logits_of(net, windows), ends[:-1])]
