"""Filters of the feed, as `glasstape.testing` and `glasstape.session` apply them."""

from glasstape.v1 import signals_pb2 as pb

_KINDS = {
    "confidence": pb.EVENT_KIND_CONFIDENCE,
    "buy": pb.EVENT_KIND_BUY,
    "outcome": pb.EVENT_KIND_OUTCOME,
}


def matches(event: pb.Event, request: pb.SignalsRequest | pb.ListSignalsRequest) -> bool:
    """Return whether an event passes a request's filter."""
    kind = event.WhichOneof("kind") or ""
    if request.symbols and event.symbol not in request.symbols:
        return False
    if request.kinds and _KINDS.get(kind) not in request.kinds:
        return False
    if not request.min_confidence or kind == "outcome":
        return True
    signal = event.confidence if kind == "confidence" else event.buy.signal
    probabilities = signal.probabilities
    return max(probabilities.down, probabilities.flat, probabilities.up) >= request.min_confidence
