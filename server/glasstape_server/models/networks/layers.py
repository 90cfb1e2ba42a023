"""Layers shared by several networks."""

import torch
from torch import Tensor, nn
from torch.nn import functional

MAX_UNROLLED_KERNELS = 3
"""Window length, in kernels, up to which a window is convolved as one matrix product."""


class TimeConvolution(nn.Module):
    """Convolution over time with zero padding: `nn.Conv1d` with padding "same", channels last.

    Computed as one matrix product over each bar with its neighbors. For a frozen network and a short window, as one
    matrix product over the whole window: it multiplies zeros too, but is several times faster, forward and backward.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Linear(kernel * inputs, outputs)
        self._unrolled: tuple[object, Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (batch, time, inputs) to (batch, time, outputs)."""
        steps = x.shape[1]
        if self.weight.weight.requires_grad or steps > MAX_UNROLLED_KERNELS * self.kernel:
            side = self.kernel // 2
            padded = functional.pad(x, (0, 0, side, side))
            return self.weight(torch.cat([padded[:, k : k + steps] for k in range(self.kernel)], dim=2))  # type: ignore[no-any-return]
        weight, bias = self.whole_window(steps)
        return torch.addmm(bias, x.flatten(1), weight).view(len(x), steps, -1)

    def whole_window(self, steps: int) -> tuple[Tensor, Tensor]:
        """Return the weight (time x inputs, time x outputs) and bias (time x outputs,) for a whole window."""
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
    """Multi-head self-attention that returns its weights.

    Vaswani et al. (2017), "Attention is all you need", section 3.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed tokens (batch, token, width), and the weights (batch, head, query, key)."""
        batch, tokens, width = x.shape
        parts = self.inputs(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (batch, head, token, width of a head)
        weights = torch.softmax(query @ key.transpose(2, 3) * query.shape[3] ** -0.5, dim=3)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.output(mixed), weights


def feed_forward(width: int, factor: int = 2) -> nn.Sequential:
    """Return the two-layer network that follows attention, (..., width) -> (..., width)."""
    return nn.Sequential(nn.Linear(width, factor * width), nn.ReLU(), nn.Linear(factor * width, width))
