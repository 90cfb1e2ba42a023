"""Replacements of operators that TorchScript's tracer does not support."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Operator = Any
"""An overload of an ATen operator, such as `torch.ops.aten.addmm.default`."""


class NotRecordable(Exception):
    """The function changes tensors in place, or returns something that no operator computed."""


def _input_of_convolution_backward(
    slope: Tensor,
    input: Tensor,
    weight: Tensor,
    bias_sizes: object,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    mask: object,
) -> tuple[Tensor, None, None]:
    if transposed:
        raise NotRecordable("a transposed convolution")
    output_padding_of_input = [
        int(size - ((out - 1) * step - 2 * pad + spread * (kernel - 1) + 1))
        for size, out, step, pad, spread, kernel in zip(
            input.shape[2:], slope.shape[2:], stride, padding, dilation, weight.shape[2:], strict=True
        )
    ]
    gradient = torch.convolution(
        slope, weight, None, stride, padding, dilation, True, output_padding_of_input, groups
    )
    return gradient, None, None


def _input_of_layer_norm_backward(
    slope: Tensor,
    input: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor | None,
    bias: object,
    mask: object,
) -> tuple[Tensor, None, None]:
    normal = (input - mean) * inverse
    inner = slope if weight is None else slope * weight
    centered = inner - inner.mean(-1, keepdim=True) - normal * (inner * normal).mean(-1, keepdim=True)
    return inverse * centered, None, None


def _select_backward(slope: Tensor, shape: Sequence[int], dim: int, index: int) -> Tensor:
    return torch.select_scatter(slope.new_zeros(shape), slope, dim, index)


def _slice_backward(slope: Tensor, shape: Sequence[int], dim: int, start: int, end: int, step: int) -> Tensor:
    return torch.slice_scatter(slope.new_zeros(shape), slope, dim, start, end, step)


def _unfold_backward(slope: Tensor, shape: Sequence[int], dim: int, size: int, step: int) -> Tensor:
    if step != 1:
        raise NotRecordable(f"unfold in steps of {step}")
    behind = (0, 0) * (slope.dim() - 2 - dim)  # `pad` starts at the last dimension
    gradient = slope.new_zeros(shape)
    for k in range(size):
        gradient = gradient + torch.nn.functional.pad(slope[..., k], (*behind, k, size - 1 - k))
    return gradient


TRACEABLE: dict[Operator, Callable[..., Any]] = {
    # The tracer does not support lists of bools. Only the derivative of the input is computed here.
    torch.ops.aten.convolution_backward.default: _input_of_convolution_backward,
    torch.ops.aten.native_layer_norm_backward.default: _input_of_layer_norm_backward,
    torch.ops.aten.detach.default: lambda tensor: tensor,
    # The tracer keeps sizes symbolic in method calls, but not in operators called by name.
    torch.ops.aten.view.default: lambda tensor, shape: tensor.view(shape),
    torch.ops.aten._unsafe_view.default: lambda tensor, shape: tensor.view(shape),
    torch.ops.aten.expand.default: lambda tensor, shape: tensor.expand(shape),
    torch.ops.aten.select_backward.default: _select_backward,
    torch.ops.aten.slice_backward.default: _slice_backward,
    torch.ops.aten.unfold_backward.default: _unfold_backward,
}
