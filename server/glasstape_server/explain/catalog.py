"""Available methods, which of them a model serves, and how a request runs on it."""

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
from glasstape_server.explain.methods.attention_rollout import AttentionRollout
from glasstape_server.explain.methods.coarse_x_gradient import CoarseXGradient
from glasstape_server.explain.methods.expected_gradients import ExpectedGradients
from glasstape_server.explain.methods.grad_cam import GradCam
from glasstape_server.explain.methods.gradient import Gradient
from glasstape_server.explain.methods.gradient_x_input import GradientXInput
from glasstape_server.explain.methods.integrated_gradients import IntegratedGradients
from glasstape_server.explain.methods.occlusion import Occlusion
from glasstape_server.explain.methods.scaled_gradient import ScaledGradient
from glasstape_server.explain.methods.scaled_path_gradient import ScaledPathGradient
from glasstape_server.explain.methods.shapley import Shapley
from glasstape_server.explain.methods.smoothgrad import SmoothGrad
from glasstape_server.explain.methods.tree_shap import TreeShap
from glasstape_server.explain.scores import Score
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
    MethodName.ATTENTION: AttentionRollout(),
    MethodName.ATTENTION_X_GRADIENT: CoarseXGradient(AttentionRollout()),
    MethodName.SCALED_GRADIENT: ScaledGradient(),
    MethodName.SCALED_PATH_GRADIENT: ScaledPathGradient(),
    MethodName.TREE_SHAP: TreeShap(),
}
"""Methods that return a map. COUNTERFACTUAL edits bars instead: see `methods.counterfactual`."""


def served(model: Model) -> list[MethodName]:
    """Return the methods that a model serves: those with a map, then COUNTERFACTUAL."""
    network, shape = model.scorer, model.window_shape
    maps = [name for name, method in METHODS.items() if method.serves(network, shape)]
    return [*maps, MethodName.COUNTERFACTUAL]


def check_served(model: Model, name: MethodName) -> None:
    """Check that a model serves a method.

    Raises:
        FailedPrecondition: it does not; the message lists the methods that it serves.
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


def default_score(name: MethodName) -> Score:
    """Return the score that a request explains if it names none."""
    return METHODS[name].default_score if name in METHODS else Score.MARGIN


def baseline_of(request: Request) -> BaselineKind | None:
    """Return the baseline that a request uses; None for methods without one."""
    if request.method is MethodName.COUNTERFACTUAL:
        return None
    default = METHODS[request.method].default_baseline
    return None if default is None else request.baseline or default


def rows_of(model: Model, windows: Tensor, baseline: Tensor | None, request: Request) -> Rows:
    """Return a method's input: windows with the baseline and background that a request selects.

    Args:
        model: to explain.
        windows: (batch, time, feature), float32.
        baseline: (batch, time, feature), float32, if each row has its own; None otherwise.
        request: parameters of the explanation.
    """
    statistics = model.statistics
    if baseline is None:
        zero = baseline_of(request) is BaselineKind.ZERO
        row = torch.zeros_like(statistics.mean) if zero else statistics.mean
        baseline = row.expand_as(windows)
    return Rows(windows, baseline, statistics.deviation, background_of(model, request))


def background_of(model: Model, request: Request) -> Tensor:
    """Return background windows (n, time, feature), float32: the request's, or else the model's."""
    if not request.background:
        return model.statistics.background
    windows = np.frombuffer(request.background, dtype="<f4").reshape(-1, *model.window_shape)
    return torch.from_numpy(windows.copy())


def background_count(model: Model, request: Request) -> int:
    """Return the number of windows of `background_of`, without checking their bytes."""
    if not request.background:
        return len(model.statistics.background)
    steps, width = model.window_shape
    return max(1, len(request.background) // (4 * steps * width))


def explain(model: Model, rows: Rows, request: Request) -> Attribution:
    """Run a request on a batch."""
    return METHODS[request.method].attribute(model.network, rows, request)
