"""The server's own enums have the wire's names and numbers."""

import importlib
import pkgutil
from enum import IntEnum

import glasstape_server
import pytest
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2
from glasstape_server.domain.bars import DataState
from glasstape_server.domain.signals import Direction, Entry, Kind
from glasstape_server.engine.job import Lane
from glasstape_server.explain.method import BaselineKind, MethodName, Quantity
from glasstape_server.explain.scores import Score
from glasstape_server.explain.trust import TrustLevel
from glasstape_server.explain.verdict import Verdict
from glasstape_server.market.corrections import CorrectionKind
from glasstape_server.market.draft import BatchMode
from glasstape_server.market.verdict_kinds import RowVerdict
from glasstape_server.rpc.convert import predictions
from glasstape_server.rpc.convert import signals as convert
from glasstape_server.serving.requests import QualityLevel
from glasstape_server.signals.delivery.messages import GoodbyeReason, OpenResult, ResetReason, Start
from glasstape_server.signals.performance.calibration import State as CalibrationState
from glasstape_server.signals.performance.track_record import Group

WIRE = {
    BatchMode: (market_pb2.BarMode, "BAR_MODE_"),
    BaselineKind: (inference_pb2.Explanation.Baseline, "BASELINE_"),
    CalibrationState: (inference_pb2.CalibrationState, "CALIBRATION_STATE_"),
    CorrectionKind: (market_pb2.CorrectionKind, "CORRECTION_KIND_"),
    DataState: (market_pb2.DataState, "DATA_STATE_"),
    GoodbyeReason: (signals_pb2.GoodbyeReason, "GOODBYE_REASON_"),
    Group: (signals_pb2.TrackRecordGroup, "TRACK_RECORD_GROUP_"),
    Kind: (signals_pb2.EventKind, "EVENT_KIND_"),
    MethodName: (inference_pb2.Explanation.Method, "METHOD_"),
    OpenResult: (signals_pb2.OpenResult, "OPEN_RESULT_"),
    QualityLevel: (inference_pb2.QualityLevel, "QUALITY_LEVEL_"),
    Quantity: (inference_pb2.Heatmap.Quantity, "QUANTITY_"),
    ResetReason: (signals_pb2.ResetReason, "RESET_REASON_"),
    Score: (inference_pb2.Explanation.Score, "SCORE_"),
    Start: (signals_pb2.SignalsRequest.Start, "START_"),
    TrustLevel: (inference_pb2.Trust.TrustLevel, "TRUST_LEVEL_"),
    Verdict: (inference_pb2.Quality.Verdict, "VERDICT_"),
}
"""The wire's enum of each of ours, and what its names begin with."""
OTHERS = {Direction, Entry, Lane, RowVerdict}
"""Class index and bars after the signal, which travel as other numbers (below), a queue of the engine, and verdicts
on rows of files."""


def enums():
    for package in pkgutil.walk_packages(glasstape_server.__path__, "glasstape_server."):
        if ".bench" in package.name or ".cli" in package.name:
            continue
        module = importlib.import_module(package.name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, IntEnum) and value.__module__ == module.__name__:
                yield value


def test_every_enum_of_the_server_is_compared_or_is_none_of_the_wires():
    assert set(enums()) == {*WIRE, *OTHERS}


@pytest.mark.parametrize("ours", WIRE, ids=lambda ours: ours.__name__)
def test_names_and_numbers_are_the_wires(ours):
    wire, prefix = WIRE[ours]
    theirs = {name.removeprefix(prefix): number for name, number in wire.items() if number}
    assert all(name.startswith(prefix) for name in wire.keys())  # noqa: SIM118
    assert {member.name: member.value for member in ours if member.value} == theirs


def test_directions_entries_and_label_kinds_are_translated_by_name():
    for direction in Direction:
        number = predictions.DIRECTIONS[direction]
        assert inference_pb2.Direction.Name(number) == f"DIRECTION_{direction.name}"
        assert predictions.direction_from(number) is direction
    assert predictions.direction_from(inference_pb2.DIRECTION_UNSPECIFIED) is None
    assert {entry: inference_pb2.EntryPrice.Name(number) for entry, number in convert.ENTRIES.items()} == {
        entry: f"ENTRY_PRICE_{entry.name}" for entry in Entry
    }
    kinds = {f"LABEL_KIND_{kind.upper()}": number for kind, number in convert.LABEL_KINDS.items()}
    assert {**kinds, "LABEL_KIND_UNSPECIFIED": 0} == dict(signals_pb2.LabelKind.items())
