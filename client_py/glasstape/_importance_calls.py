"""The GetImportance call, built from the arguments of both clients."""

from glasstape._call import Call, checked
from glasstape._calls import INFERENCE
from glasstape._convert.common import member_to
from glasstape._convert.importance import filter_to, importance_from
from glasstape._convert.values import flag
from glasstape._scalars import MAX_UINT32, integer, text
from glasstape.types.enums import Method, Score
from glasstape.types.importance import Importance, WindowFilter
from glasstape.v1 import inference_pb2 as pb


@checked
def get_importance(
    window_filter: WindowFilter | None,
    reference: WindowFilter | None,
    *,
    model: str,
    max_windows: int,
    method: Method | str,
    score: Score | str,
    permutation: bool,
    seed: int,
) -> Call[Importance]:
    """Return the GetImportance call."""
    request = pb.GetImportanceRequest(
        model=text(model, "model"),
        filter=filter_to(window_filter, "window_filter"),
        reference=filter_to(reference, "reference"),
        max_windows=integer(max_windows, "max_windows", MAX_UINT32),
        method=member_to(pb.Explanation.Method, Method, method, "method"),
        score=member_to(pb.Explanation.Score, Score, score, "score"),
        permutation=flag(permutation, "permutation"),
        seed=integer(seed, "seed"),
    )
    return Call(INFERENCE + "GetImportance", request, pb.GetImportanceResponse, importance_from)
