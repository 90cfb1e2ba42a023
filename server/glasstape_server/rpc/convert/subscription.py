"""Subscriptions from the wire."""

import math
from collections.abc import Sequence

from glasstape.symbols import reason_invalid
from glasstape.v1 import signals_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_SYMBOLS, MAX_TOKEN_BYTES
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery.messages import Start, Subscription
from glasstape_server.signals.journal.records import Selection


def selection_from(symbols: Sequence[str], kinds: Sequence[int], min_confidence: float) -> Selection:
    """Return a filter.

    Raises:
        InvalidArgument: a malformed symbol, kind or confidence.
    """
    if len(symbols) > MAX_SYMBOLS:
        raise InvalidArgument.field("symbols", f"at most {MAX_SYMBOLS}, has {len(symbols)}")
    for index, symbol in enumerate(symbols):
        if rule := reason_invalid(symbol):
            raise InvalidArgument.field(f"symbols[{index}]", rule)
    for index, kind in enumerate(kinds):
        if kind not in list(Kind):
            raise InvalidArgument.field(f"kinds[{index}]", f"must be CONFIDENCE, BUY or OUTCOME, is {kind}")
    if not 0 <= min_confidence <= 1:
        raise InvalidArgument.field("min_confidence", f"must be 0-1, is {min_confidence:g}")
    return Selection(
        frozenset(symbols) if symbols else None,
        frozenset(Kind(kind) for kind in kinds) if kinds else None,
        min_confidence,
    )


def subscription_from(request: pb.SignalsRequest) -> Subscription:
    """Return the subscription of a Signals request.

    Raises:
        InvalidArgument: a field breaks its rule.
    """
    if len(request.resume_token) > MAX_TOKEN_BYTES:
        raise InvalidArgument.field(
            "resume_token", f"at most {MAX_TOKEN_BYTES} bytes, has {len(request.resume_token)}"
        )
    if request.start not in (0, *Start):
        raise InvalidArgument.field("start", f"must be SNAPSHOT, LIVE or EARLIEST, is {request.start}")
    if request.delivery not in pb.SignalsRequest.Delivery.values():
        raise InvalidArgument.field("delivery", f"must be CONFLATED or EVERY_EVENT, is {request.delivery}")
    conflation, heartbeat = 0.1, 1.0
    if request.HasField("conflation_interval"):
        conflation = _seconds("conflation_interval", request.conflation_interval, 0.0, 60.0)
    if request.HasField("heartbeat_interval"):
        heartbeat = _seconds("heartbeat_interval", request.heartbeat_interval, 0.1, 60.0)
    return Subscription(
        selection=selection_from(request.symbols, request.kinds, request.min_confidence),
        start=Start(request.start or Start.SNAPSHOT),
        resume_token=request.resume_token,
        every_event=request.delivery == pb.SignalsRequest.DELIVERY_EVERY_EVENT,
        conflation_seconds=conflation,
        heartbeat_seconds=heartbeat,
        quotes=request.quotes,
    )


def _seconds(field: str, duration: Duration, least: float, most: float) -> float:
    nanos, seconds = duration.nanos, duration.seconds + duration.nanos / 1e9
    if abs(nanos) >= 1_000_000_000 or nanos * duration.seconds < 0:
        rule = f"must be within 999,999,999 and have the sign of the seconds, is {nanos:,}"
        raise InvalidArgument.field(f"{field}.nanos", rule)
    if not (math.isfinite(seconds) and least <= seconds <= most):
        raise InvalidArgument.field(field, f"must be {least:g}-{most:g} s, is {seconds:g} s")
    return seconds
