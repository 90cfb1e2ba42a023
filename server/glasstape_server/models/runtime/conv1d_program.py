"""The 1D-CNN with frozen weights in closed form: normalization, forward and backward as a few matrix products.

Equal to `networks.conv1d.Conv1d` behind a `Scorer`, but for rounding. What a recording of its operators cannot know:

- Normalization is an affine map, and becomes part of the first product.
- The first product computes the whole window at once, with bars of zeros at both ends, so that every bar with its
  neighbors is a view of its result.
- In a large batch, a product with its ReLU is one operator of oneDNN. In a small one, its start takes longer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from glasstape_server.models.networks.conv1d import Conv1d
from glasstape_server.models.scorer import Scorer

FUSED_MULTIPLICATIONS = 1 << 20
"""Multiplications of a product from which on oneDNN's fused operator is the faster one."""

_fused_linear: Callable[..., Tensor] = torch.ops.mkldnn._linear_pointwise.default
_relu_backward: Callable[..., Tensor] = torch.ops.aten.threshold_backward.default


@dataclass(frozen=True, slots=True)
class _Layer:
    """One affine map followed by ReLU, with its weights as each product needs them."""

    weight: Tensor
    """(input, output)."""
    transposed: Tensor
    """(output, input)."""
    bias: Tensor
    """(output,)."""
    backward: Tensor
    """(input, slope): derivative of the input by what `pull` takes."""
    fused_rows: int
    """Rows from which on the fused operator is used."""

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, backward: Tensor) -> "_Layer":
        """Make a layer from its weight (input, output), bias (output,) and backward weight (input, slope)."""
        fused = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        rows = FUSED_MULTIPLICATIONS // weight.numel() if fused else 1 << 62
        return cls(weight.contiguous(), weight.T.contiguous(), bias, backward.contiguous(), rows)

    def relu(self, x: Tensor) -> Tensor:
        """Return the activations (row, output) of x (row, input)."""
        if x.shape[0] < self.fused_rows:
            return torch.addmm(self.bias, x, self.weight).relu_()
        return _fused_linear(x, self.transposed, self.bias, "relu", [], "")

    def pull(self, slope: Tensor) -> Tensor:
        """Return d score / d input, (row, input), of a slope at the outputs, (row, slope)."""
        if slope.shape[0] < self.fused_rows:
            return slope @ self.backward.T
        return _fused_linear(slope, self.backward, None, "none", [], "")


class Conv1dProgram:
    """A scorer of a `Conv1d` for windows of one size."""

    def __init__(self, scorer: Scorer, network: Conv1d, time_steps: int, features: int) -> None:
        """Compute the weights of the products.

        Args:
            scorer: the normalization.
            network: the network of the scorer.
            time_steps: bars of a window.
            features: features of a bar.
        """
        kernel, taps = network.second.kernel, network.second.weight
        side = kernel // 2
        self._steps, self._features, self._side = time_steps, features, side
        self._outputs = len(taps.weight)
        self._inputs = taps.weight.shape[1] // kernel
        self._first = _first_layer(scorer, network, time_steps)
        self._inner = slice(side * self._inputs, (side + time_steps) * self._inputs)
        """Columns of the first layer's activations that are not zeros at an end."""
        by_tap = taps.weight.view(self._outputs, kernel, self._inputs)
        backward = by_tap.flip(1).permute(2, 1, 0).reshape(self._inputs, -1)
        self._second = _Layer.of(taps.weight.T, taps.bias, backward)
        self._kernel = kernel
        self._head, self._head_bias = network.head.weight.T.contiguous(), network.head.bias
        self._head_backward = (network.head.weight / time_steps).contiguous()

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (batch, 3) of windows (batch, time, feature), and the residuals of `pullback`."""
        first = self._first.relu(windows.flatten(1))
        second = self._second.relu(self._with_neighbors(first, self._inputs))
        second = second.view(-1, self._steps, self._outputs)
        return torch.addmm(self._head_bias, second.mean(1), self._head), first, second

    def pullback(self, slope: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor]:
        """Return d score / d windows (batch, time, feature) of d score / d logits (batch, 3) and the residuals."""
        rows, steps = slope.shape[0], self._steps
        pooled = (slope @ self._head_backward)[:, None].expand(rows, steps, self._outputs)
        padded = slope.new_zeros(rows, steps + 2 * self._side, self._outputs)
        padded[:, self._side : self._side + steps] = _relu_backward(pooled, second, 0)
        inner = self._second.pull(self._with_neighbors(padded.flatten(1), self._outputs)).view(rows, -1)
        inner = _relu_backward(inner, first[:, self._inner], 0)
        return (self._first.pull(inner).view(rows, steps, self._features),)

    def _with_neighbors(self, padded: Tensor, channels: int) -> Tensor:
        """Return each bar with its neighbors, (batch x time, kernel x channel), of (batch, padded time x channel)."""
        return padded.unfold(1, self._kernel * channels, channels).reshape(-1, self._kernel * channels)


def _first_layer(scorer: Scorer, network: Conv1d, time_steps: int) -> _Layer:
    """Return the first convolution over whole windows, (time x feature) -> (padded time x channel)."""
    weight, bias = network.first.whole_window(time_steps)
    mean, inverse = scorer.mean.repeat(time_steps), (1 / scorer.deviation).repeat(time_steps)
    weight, bias = weight * inverse[:, None], bias - (mean * inverse) @ weight
    ends = (network.second.kernel // 2 * len(network.first.weight.weight),) * 2
    return _Layer.of(functional.pad(weight, ends), functional.pad(bias, ends), weight)
