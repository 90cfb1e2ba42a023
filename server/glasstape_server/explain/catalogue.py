"""Which methods there are, which of them a model can serve, and how a request is run on it."""

import numpy as np
import torch
from torch import Tensor

from glasstape_server.domain.errors import FailedPrecondition
from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Method,
    MethodName,
    Request,
    Rows,
)
from glasstape_server.explain.methods.attention import Attention
from glasstape_server.explain.methods.coarse_x_gradient import CoarseXGradient
from glasstape_server.explain.methods.expected_gradients import ExpectedGradients
from glasstape_server.explain.methods.grad_cam import GradCam
from glasstape_server.explain.methods.gradient import Gradient
from glasstape_server.explain.methods.gradient_x_input import GradientXInput
from glasstape_server.explain.methods.integrated_gradients import IntegratedGradients
from glasstape_server.explain.methods.occlusion import Occlusion
from glasstape_server.explain.methods.shapley import Shapley
from glasstape_server.explain.methods.smoothgrad import SmoothGrad
from glasstape_server.models.model import Model

METHODS: dict[MethodName, Method] = {
    MethodName.GRADIENT: Gradient(),
    MethodName.GRADIENT_X_INPUT: GradientXInput(),
    MethodName.SMOOTHGRAD: SmoothGrad(),
    MethodName.INTEGRATED_GRADIENTS: IntegratedGradients(),
    MethodName.EXPECTED_GRADIENTS: ExpectedGradients(),
    MethodName.OCCLUSION: Occlusion(),
    MethodName.SHAPLEY_BARS: Shapley(axis=0),
    MethodName.SHAPLEY_FEATURES: Shapley(axis=1),
    MethodName.GRAD_CAM: GradCam(),
    MethodName.GRAD_CAM_X_GRADIENT: CoarseXGradient(GradCam()),
    MethodName.ATTENTION: Attention(),
    MethodName.ATTENTION_X_GRADIENT: CoarseXGradient(Attention()),
}
"""Methods that give a map of any window. COUNTERFACTUAL edits bars: see `counterfactual`."""


def served(model: Model) -> list[MethodName]:
    """The methods that a model can serve, in the order of the contract."""
    network, shape = model.scorer, model.window_shape
    found = [name for name, method in METHODS.items() if method.serves(network, shape)]
    return [*found, MethodName.COUNTERFACTUAL]


def check_served(model: Model, name: MethodName) -> None:
    """Refuse a method that a model cannot serve.

    Raises:
        FailedPrecondition: it cannot; the message lists the methods that it can.
    """
    methods = served(model)
    if name not in methods:
        known = ", ".join(f"METHOD_{known.name}" for known in methods)
        raise FailedPrecondition(
            "METHOD_NOT_SERVED",
            f"method: {model.ref.name}@{model.ref.version} ({model.manifest.architecture.name}) cannot serve "
            f"METHOD_{name.name}; it serves {known}",
            metadata={"method": f"METHOD_{name.name}", "methods": known},
        )


def baseline_of(request: Request) -> BaselineKind | None:
    """The baseline that a request uses; None for methods without one."""
    if request.method is MethodName.COUNTERFACTUAL:
        return None
    own = METHODS[request.method].default_baseline
    return None if own is None else request.baseline or own


def rows_of(model: Model, windows: Tensor, baseline: Tensor | None, request: Request) -> Rows:
    """What a method is given: the windows with the baseline and the background that were asked for.

    Args:
        model: the model.
        windows: (batch, time, feature).
        baseline: the same shape, where each row brings its own; None otherwise.
        request: how to explain.
    """
    statistics = model.statistics
    if baseline is None:
        centre = torch.zeros(model.window_shape)
        if baseline_of(request) is not BaselineKind.ZERO:
            centre = statistics.mean.expand(model.window_shape)
        baseline = centre.expand_as(windows)
    return Rows(windows, baseline, statistics.deviation, background_of(model, request))


def background_of(model: Model, request: Request) -> Tensor:
    """Ordinary windows, (n, time, feature): the caller's, or the model's own."""
    if not request.background:
        return model.statistics.background
    own = np.frombuffer(request.background, dtype="<f4").reshape(-1, *model.window_shape)
    return torch.from_numpy(own.copy())


def background_count(model: Model, request: Request) -> int:
    """Return the number of windows of `background_of`, without checking their bytes."""
    if not request.background:
        return len(model.statistics.background)
    steps, width = model.window_shape
    return max(1, len(request.background) // (4 * steps * width))


def explain(model: Model, rows: Rows, request: Request) -> Attribution:
    """Run one request on a batch."""
    return METHODS[request.method].attribute(model.network, rows, request)
