"""Scopes required by each method. Methods that are not listed are rejected."""

from enum import StrEnum


class Scope(StrEnum):
    """Permission that a token grants."""

    PREDICT = "predict"
    EXPLAIN = "explain"
    SIGNALS = "signals"
    PUBLISH = "publish"
    ADMIN = "admin"
    """All methods."""


ANY = frozenset(Scope)
"""Any scope suffices."""
OPEN: frozenset[Scope] = frozenset()
"""No token is required."""

_INFERENCE = "/glasstape.v1.InferenceService/"
_SIGNALS = "/glasstape.v1.SignalService/"
_MARKET = "/glasstape.v1.MarketService/"
_OPEN_INFERENCE = "/inference.GRPCInferenceService/"

REQUIRED: dict[str, frozenset[Scope]] = {
    _INFERENCE + "Predict": frozenset({Scope.PREDICT}),
    _INFERENCE + "Explain": frozenset({Scope.EXPLAIN}),
    _INFERENCE + "GetImportance": frozenset({Scope.EXPLAIN}),
    _INFERENCE + "GetModel": ANY,
    _INFERENCE + "ListModels": ANY,
    _INFERENCE + "GetServerInfo": ANY,
    _SIGNALS + "Signals": frozenset({Scope.SIGNALS}),
    _SIGNALS + "ListSignals": frozenset({Scope.SIGNALS}),
    _SIGNALS + "GetTrackRecord": frozenset({Scope.SIGNALS}),
    _MARKET + "PublishBars": frozenset({Scope.PUBLISH}),
    _MARKET + "StreamBars": frozenset({Scope.PUBLISH}),
    _MARKET + "ListBars": frozenset({Scope.SIGNALS, Scope.PUBLISH}),
    _MARKET + "ListInstruments": frozenset({Scope.SIGNALS, Scope.PUBLISH}),
    _MARKET + "ListSeries": frozenset({Scope.SIGNALS, Scope.PUBLISH}),
    _MARKET + "RemoveBars": frozenset({Scope.PUBLISH}),
    _MARKET + "RenameSymbol": frozenset({Scope.PUBLISH}),
    _MARKET + "ListCorrections": frozenset({Scope.PUBLISH}),
    _OPEN_INFERENCE + "ServerLive": OPEN,
    _OPEN_INFERENCE + "ServerReady": OPEN,
    _OPEN_INFERENCE + "ModelReady": OPEN,
    _OPEN_INFERENCE + "ServerMetadata": ANY,
    _OPEN_INFERENCE + "ModelMetadata": ANY,
    _OPEN_INFERENCE + "ModelInfer": frozenset({Scope.PREDICT}),
    _OPEN_INFERENCE + "ModelConfig": ANY,
    _OPEN_INFERENCE + "ModelStatistics": ANY,
    _OPEN_INFERENCE + "RepositoryIndex": ANY,
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/List": OPEN,
    "/grpc.health.v1.Health/Watch": OPEN,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": ANY,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANY,
}
"""Method path -> scopes, one of which is required."""


def allows(granted: frozenset[Scope], path: str) -> bool:
    """Return whether scopes permit calling a method, given by its path."""
    required = REQUIRED.get(path)
    return required is not None and (not required or Scope.ADMIN in granted or bool(required & granted))
