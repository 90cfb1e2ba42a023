"""Layers that several networks share."""

import torch
from torch import Tensor, nn
from torch.nn import functional

UNROLLED = 3
"""Windows of up to this many kernels are convolved as one matrix product."""


class TimeConvolution(nn.Module):
    """A convolution over time with zeros beyond both ends: `nn.Conv1d` with padding "same", time before channels.

    As one matrix product over each bar with its neighbours; of a frozen network and a few bars, over the
    whole window at once, which computes zeros, too, and is several times faster forwards and backwards.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Linear(kernel * inputs, outputs)
        self._unrolled: tuple[object, Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, inputs) -> (batch, time, outputs)."""
        steps = x.shape[1]
        if self.weight.weight.requires_grad or steps > UNROLLED * self.kernel:
            side = self.kernel // 2
            padded = functional.pad(x, (0, 0, side, side))
            return self.weight(torch.cat([padded[:, k : k + steps] for k in range(self.kernel)], dim=2))  # type: ignore[no-any-return]
        weight, bias = self._whole_window(steps)
        return torch.addmm(bias, x.flatten(1), weight).view(len(x), steps, -1)

    def _whole_window(self, steps: int) -> tuple[Tensor, Tensor]:
        """The same function of a whole window: weight (time x inputs, time x outputs) and bias."""
        taps = self.weight.weight
        key = (steps, taps.dtype, taps.data_ptr(), taps._version)
        if self._unrolled is None or self._unrolled[0] != key:
            width = taps.shape[1] // self.kernel
            by_tap = taps.detach().view(-1, self.kernel, width)
            weight = taps.new_zeros(steps, width, steps, len(taps))
            for to in range(steps):
                for tap in range(self.kernel):
                    source = to + tap - self.kernel // 2
                    if 0 <= source < steps:
                        weight[source, :, to] = by_tap[:, tap].T
            bias = self.weight.bias.detach().repeat(steps)
            self._unrolled = (key, weight.flatten(2).flatten(0, 1), bias)
        return self._unrolled[1:]


class SelfAttention(nn.Module):
    """Multi-head attention of tokens to each other that returns its weights.

    Vaswani et al. (2017), "Attention is all you need", section 3.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, token, width) -> the same shape, and the weights (batch, head, query, key)."""
        batch, tokens, width = x.shape
        parts = self.inputs(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, head, token, width of a head)
        weights = torch.softmax(query @ key.transpose(2, 3) * query.shape[3] ** -0.5, dim=3)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.output(mixed), weights


def feed_forward(width: int, factor: int = 2) -> nn.Sequential:
    """The two-layer network that follows attention."""
    return nn.Sequential(nn.Linear(width, factor * width), nn.ReLU(), nn.Linear(factor * width, width))
