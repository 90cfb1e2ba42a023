"""Glasstape's Python SDK: calibrated market signals that show their reasons.

    from glasstape import Client

    with Client("localhost:50551") as client:
        for event in client.signals(kinds=["buy"]):
            print(event.symbol, event.signal.confidence.up)

Everything public is named here; values are frozen dataclasses and numpy arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glasstape._aio import AsyncClient
    from glasstape._aio_stream import AsyncSignalStream
    from glasstape._options import Tls
    from glasstape._stream import SignalStream
    from glasstape._sync import Client
    from glasstape.errors import (
        AuthenticationError,
        ConflictError,
        DataLossError,
        DeadlineError,
        GlasstapeError,
        InternalError,
        InvalidRequestError,
        NotFoundError,
        OutOfRangeError,
        OverloadedError,
        PermissionDeniedError,
        PreconditionError,
        UnavailableError,
        UnimplementedError,
        Violation,
    )
    from glasstape.types.enums import (
        Baseline,
        CalibrationState,
        DataState,
        Delivery,
        Direction,
        Entry,
        EventKind,
        GoodbyeReason,
        LabelKind,
        Method,
        ModelState,
        OpenResult,
        QualityLevel,
        Quantity,
        ResetReason,
        Score,
        Start,
        TrackRecordGroup,
        Verdict,
    )
    from glasstape.types.explanation import (
        BarValues,
        Counterfactual,
        Driver,
        Explanation,
        Heatmap,
        Quality,
    )
    from glasstape.types.inference import (
        Check,
        Confidence,
        Estimate,
        Feature,
        Health,
        LiveCalibration,
        Model,
        ModelRef,
        Prediction,
        ReliabilityPoint,
        ShadowRecord,
    )
    from glasstape.types.market import Bar, Instrument, PublishReport, Rejection
    from glasstape.types.signals import (
        BuyEvent,
        ConfidenceEvent,
        Disconnected,
        Event,
        EventBatch,
        Gap,
        Goodbye,
        Heartbeat,
        HeatmapBatch,
        Opened,
        OutcomeEvent,
        Signal,
        StreamMessage,
        TrackRecord,
        TrackRecords,
    )
    from glasstape.words import in_words

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsyncSignalStream",
    "AuthenticationError",
    "Bar",
    "BarValues",
    "Baseline",
    "BuyEvent",
    "CalibrationState",
    "Check",
    "Client",
    "Confidence",
    "ConfidenceEvent",
    "ConflictError",
    "Counterfactual",
    "DataLossError",
    "DataState",
    "DeadlineError",
    "Delivery",
    "Direction",
    "Disconnected",
    "Driver",
    "Entry",
    "Estimate",
    "Event",
    "EventBatch",
    "EventKind",
    "Explanation",
    "Feature",
    "Gap",
    "GlasstapeError",
    "Goodbye",
    "GoodbyeReason",
    "Health",
    "Heartbeat",
    "Heatmap",
    "HeatmapBatch",
    "Instrument",
    "InternalError",
    "InvalidRequestError",
    "LabelKind",
    "LiveCalibration",
    "Method",
    "Model",
    "ModelRef",
    "ModelState",
    "NotFoundError",
    "OpenResult",
    "Opened",
    "OutOfRangeError",
    "OutcomeEvent",
    "OverloadedError",
    "PermissionDeniedError",
    "PreconditionError",
    "Prediction",
    "PublishReport",
    "Quality",
    "QualityLevel",
    "Quantity",
    "Rejection",
    "ReliabilityPoint",
    "ResetReason",
    "Score",
    "ShadowRecord",
    "Signal",
    "SignalStream",
    "Start",
    "StreamMessage",
    "Tls",
    "TrackRecord",
    "TrackRecordGroup",
    "TrackRecords",
    "UnavailableError",
    "UnimplementedError",
    "Verdict",
    "Violation",
    "__version__",
    "in_words",
]

# Names are loaded when they are first used: the command line and the generated stubs live in this
# package too, and neither needs what the clients need.
_MODULES = {
    "glasstape._aio": "AsyncClient",
    "glasstape._aio_stream": "AsyncSignalStream",
    "glasstape._options": """
        Tls
    """,
    "glasstape._stream": "SignalStream",
    "glasstape._sync": "Client",
    "glasstape.errors": """
        AuthenticationError ConflictError DataLossError DeadlineError GlasstapeError
        InternalError InvalidRequestError NotFoundError OutOfRangeError OverloadedError
        PermissionDeniedError PreconditionError UnavailableError UnimplementedError Violation
    """,
    "glasstape.types.enums": """
        Baseline CalibrationState DataState Delivery Direction Entry EventKind GoodbyeReason LabelKind
        Method ModelState OpenResult QualityLevel Quantity ResetReason Score Start TrackRecordGroup Verdict
    """,
    "glasstape.types.explanation": """
        BarValues Counterfactual Driver Explanation Heatmap Quality
    """,
    "glasstape.types.inference": """
        Check Confidence Estimate Feature Health LiveCalibration Model ModelRef Prediction ReliabilityPoint ShadowRecord
    """,
    "glasstape.types.market": """
        Bar Instrument PublishReport Rejection
    """,
    "glasstape.types.signals": """
        BuyEvent ConfidenceEvent Disconnected Event EventBatch Gap Goodbye Heartbeat
        HeatmapBatch Opened OutcomeEvent Signal StreamMessage TrackRecord TrackRecords
    """,
    "glasstape.words": "in_words",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
