"""Which methods this server has, and how a request is run on a model."""

import torch
from torch import Tensor

from glasstape_server.errors import Unimplemented
from glasstape_server.explain.gradient import Gradient
from glasstape_server.explain.gradient_x_input import GradientXInput
from glasstape_server.explain.integrated_gradients import IntegratedGradients
from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Method,
    MethodName,
    Request,
)
from glasstape_server.explain.occlusion import Occlusion
from glasstape_server.models.artefact import Model

METHODS: dict[MethodName, Method] = {
    MethodName.GRADIENT: Gradient(),
    MethodName.GRADIENT_X_INPUT: GradientXInput(),
    MethodName.INTEGRATED_GRADIENTS: IntegratedGradients(),
    MethodName.OCCLUSION: Occlusion(),
}
"""Methods at hand."""


def method(name: MethodName) -> Method:
    """Find a method.

    Raises:
        Unimplemented: this server does not have it; the message lists those it has.
    """
    if name not in METHODS:
        known = ", ".join(f"METHOD_{known.name}" for known in METHODS)
        raise Unimplemented(
            "METHOD_UNIMPLEMENTED",
            f"method: METHOD_{name.name} is not implemented; at hand: {known}",
            metadata={"method": f"METHOD_{name.name}", "methods": known},
        )
    return METHODS[name]


def baseline_of(request: Request) -> BaselineKind | None:
    """The baseline that a request uses; None for methods without one."""
    own = method(request.method).default_baseline
    return None if own is None else request.baseline or own


def explain(model: Model, windows: Tensor, request: Request) -> Attribution:
    """Run one request on a batch of windows (batch, time, feature)."""
    baseline = torch.zeros(model.window_shape)
    if baseline_of(request) is BaselineKind.MEAN:
        baseline = model.statistics.mean.expand(model.window_shape).clone()
    return method(request.method).attribute(model.scorer, windows, baseline, request)
