"""Default methods: of a request, and of a model that does not serve the usual ones."""

from collections.abc import Sequence
from dataclasses import replace

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import Score
from glasstape_server.models.model import Model
from glasstape_server.models.scorer import Scorer


def default_method(*, checked: bool) -> MethodName:
    """Return the method of a request that names none: SCALED_PATH_GRADIENT if its map is checked (quality FULL),
    whose passes outweigh the path's, else SCALED_GRADIENT."""
    return MethodName.SCALED_PATH_GRADIENT if checked else MethodName.SCALED_GRADIENT


def served_default(scorer: Scorer, shape: tuple[int, int], usual: MethodName) -> MethodName:
    """Return the default method of a model: the usual one, TREE_SHAP for trees, OCCLUSION for trees with networks."""
    names = (usual, MethodName.TREE_SHAP, MethodName.OCCLUSION)
    return next(name for name in names if METHODS[name].serves(scorer, shape))


def resolved(request: Request, models: Sequence[Model]) -> Request:
    """Return a request with the default method of its models, if it names none.

    Args:
        request: `by_default` states whether it names none.
        models: that are explained; of several, the method is one that each of them serves.

    Raises:
        InvalidArgument: the default method takes no `samples`.
    """
    if not request.by_default:
        return request
    names = (request.method, MethodName.TREE_SHAP, MethodName.OCCLUSION)
    name = next(name for name in names if _fits(name, request) and _all_serve(name, models))
    if request.samples > METHODS[name].max_samples:
        raise InvalidArgument.field(
            "samples", f"must be unset with METHOD_{name.name}, the model's default, is {request.samples}"
        )
    return replace(request, method=name, by_default=False)


def _all_serve(name: MethodName, models: Sequence[Model]) -> bool:
    return all(METHODS[name].serves(model.scorer, model.window_shape) for model in models)


def _fits(name: MethodName, request: Request) -> bool:
    """Return whether a method takes the score and the baseline of a request."""
    if name is not MethodName.TREE_SHAP:
        return True
    return request.baseline is None and request.score_spec.score is not Score.LOG_PROBABILITY
