"""Values that need a rule: times, enums, tables of models, errors of items, numbers of bars."""

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from glasstape import (
    INTERVALS,
    BarMode,
    ConflictError,
    DataLossError,
    ErrorReason,
    GapReason,
    GlasstapeError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    Violation,
    _calls,
)
from glasstape._convert.common import (
    delta_from,
    delta_to,
    enum_from,
    enum_to,
    error_from,
    member,
    problem_to,
    time_from,
    time_to,
)
from glasstape._convert.explanation import heatmap_from
from glasstape._convert.market import batches_to, merged, report_from
from glasstape.types.enums import CalibrationState
from glasstape.v1 import errors_pb2, inference_pb2, market_pb2, signals_pb2
from glasstape_server.domain.times import INTERVALS as SERVER_INTERVALS
from requests_of import BAR, INSTRUMENT, NOON

SEOUL = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    "moment", [NOON, datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), NOON.astimezone(SEOUL)]
)
def test_times_keep_their_microseconds(moment):
    assert time_from(time_to(moment, "x")) == moment
    assert time_from(time_to(moment, "x")).tzinfo is UTC


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(InvalidRequestError, match="x: must have a time zone, is 2026-01-05T12:00:00"):
        time_to(NOON.replace(tzinfo=None), "x")


@pytest.mark.parametrize("delta", [0.25, timedelta(milliseconds=250)])
def test_durations_are_seconds_or_timedeltas(delta):
    assert delta_from(delta_to(delta, "delta", 0, 1)) == timedelta(milliseconds=250)


def test_members_of_enums_are_named_as_on_the_wire():
    wire = inference_pb2.CalibrationState
    assert enum_to(wire, CalibrationState.BROKEN) == wire.Value("CALIBRATION_STATE_BROKEN")
    assert enum_from(wire, CalibrationState, 3) is CalibrationState.BROKEN
    assert enum_from(wire, CalibrationState, 99) is CalibrationState.UNSPECIFIED
    assert enum_to(wire, None) == 0


def test_an_unknown_member_is_refused_with_the_known_ones():
    with pytest.raises(
        InvalidRequestError, match="mode: must be one of final, backfill, replace, provisional"
    ):
        member(BarMode, "later", "mode")
    assert member(GapReason, "Not_Retained", "x") is GapReason.NOT_RETAINED


def prediction(index):
    confidence = inference_pb2.Confidence(direction=inference_pb2.DIRECTION_UP, up=1.0)
    return inference_pb2.Prediction(model_index=index, confidence=confidence)


def predictions(*items):
    models = [inference_pb2.ModelRef(name="a"), inference_pb2.ModelRef(name="b")]
    call = _calls.predict(None, None, ["X"], None, "")
    return call.value(inference_pb2.PredictResponse(models=models, predictions=items))


def test_values_hold_the_model_that_their_index_points_to():
    assert [item.model.name for item in predictions(prediction(1), prediction(0))] == ["b", "a"]


def test_an_index_beyond_the_table_is_data_loss():
    with pytest.raises(DataLossError, match="the answer holds values that the contract does not allow"):
        predictions(prediction(2))


def test_an_item_that_failed_has_its_error_and_no_model():
    problem = errors_pb2.Problem(
        code=5, reason=errors_pb2.ERROR_REASON_SYMBOL_NOT_FOUND, message="no bars of X"
    )
    (item,) = predictions(inference_pb2.Prediction(problem=problem, symbol="X"))
    assert (item.model, item.confidence, item.symbol) == (None, None, "X")
    with pytest.raises(NotFoundError, match="no bars of X"):
        item.unwrap()


def test_an_explanation_that_failed_has_its_error():
    problem = errors_pb2.Problem(code=5, message="no bars of X")
    result = inference_pb2.ExplanationResult(problem=problem, symbol="X")
    explain = _calls.explain(
        None, None, ["X"], None, model="", method="gradient", score="margin", target=None, foil=None, baseline=None,
        samples=0, seed=0, quality="fast", baseline_windows=None, background=None, include=None,
    )  # fmt: skip
    (item,) = explain.value(inference_pb2.ExplainResponse(results=[result]))
    assert (item.symbol, item.heatmap, item.prediction) == ("X", None, None)
    for access in (item.unwrap, lambda: item.confidence):
        with pytest.raises(NotFoundError, match="no bars of X"):
            access()
    with pytest.raises(DataLossError):
        explain.value(inference_pb2.ExplainResponse(results=[inference_pb2.ExplanationResult()]))


def test_a_problem_is_an_error_with_everything_that_it_says():
    problem = errors_pb2.Problem(
        code=6, reason=errors_pb2.ERROR_REASON_BAR_CONFLICT, message="close: 2, stored 1", metadata={"symbol": "A"},
        violations=[errors_pb2.FieldViolation(field="close", description="must be 1")],
    )  # fmt: skip
    error = error_from(problem)
    assert type(error) is ConflictError
    assert error.reason is ErrorReason.BAR_CONFLICT
    assert (error.message, error.metadata) == ("close: 2, stored 1", {"symbol": "A"})
    assert error.violations == (Violation("close", "must be 1"),)
    assert problem_to(error) == problem


@pytest.mark.parametrize(("number", "text"), [(0, ""), (9_999, "9999")])
def test_a_reason_that_is_not_known_keeps_its_text(number, text):
    error = error_from(errors_pb2.Problem(code=99, reason=number, message="m"))
    assert type(error) is InternalError
    assert error.reason == text
    assert not isinstance(error.reason, ErrorReason)
    assert GlasstapeError("m", reason="FROM_TOMORROW").reason == "FROM_TOMORROW"


def test_the_reasons_are_those_of_the_contract():
    wire = [name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()]  # noqa: SIM118
    assert [reason.value for reason in ErrorReason] == wire[1:]


def test_maps_are_read_only_float32_arrays_of_their_shape():
    shape = inference_pb2.Heatmap.Shape(time=2, features=3)
    values = np.arange(6, dtype=np.float32) / 7
    heatmap = heatmap_from(inference_pb2.Heatmap(values=values, shape=shape, native_shape=shape))
    assert heatmap.values.dtype == np.float32
    np.testing.assert_array_equal(heatmap.values, values.reshape(2, 3))
    assert not heatmap.values.flags.writeable
    assert heatmap.sign_stability is None


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [None, math.nan])
def test_a_number_of_a_bar_that_is_absent_is_named(name, value):
    bad = replace(BAR, **{name: value})
    with pytest.raises(InvalidRequestError) as caught:
        _calls.publish_bars([BAR, bad], (), "final", False)
    assert caught.value.violations[0].field == f"bars[1].{name}"
    with pytest.raises(
        InvalidRequestError, match=rf"bars\[0\]\[1\]\.{name}: must be a (finite )?number, is {value}"
    ):
        _calls.predict(None, [[BAR, bad]], None, None, "")


def test_a_zero_is_sent_and_not_taken_for_absent():
    halted = replace(BAR, open=0.0, high=0.0, low=0.0, volume=0.0)
    (call,) = _calls.publish_bars([halted], (), "final", False)
    (sent,) = call.request.bars
    assert all(sent.HasField(name) for name in ("open", "high", "low", "volume"))


def test_bars_are_batched_and_instruments_come_first():
    batches = batches_to([BAR] * 5, [INSTRUMENT], BarMode.BACKFILL, 2)
    assert [len(batch.bars) for batch in batches] == [2, 2, 1]
    assert [len(batch.instruments) for batch in batches] == [1, 0, 0]
    assert {batch.mode for batch in batches} == {market_pb2.BAR_MODE_BACKFILL}
    assert len(batches_to([], [INSTRUMENT], BarMode.FINAL, 2)) == 1


def test_rejections_have_their_place_among_all_bars():
    rejection = market_pb2.BarRejection(index=1, symbol="A", problem=errors_pb2.Problem(code=3))
    receipts = [
        market_pb2.PublishBarsResponse(stored=2),
        market_pb2.PublishBarsResponse(rejections=[rejection]),
    ]
    report = merged([report_from(receipts[0], 0), report_from(receipts[1], 2)])
    assert (report.stored, report.rejections[0].index) == (2, 3)


def test_a_message_of_a_newer_contract_is_skipped():
    from glasstape._convert.signals import message_from
    from glasstape.types.enums import Method

    unknown = signals_pb2.SignalsResponse.FromString(bytes([0x9A, 0x06, 0x02, 0x08, 0x01]))
    assert message_from(unknown, Method.GRADIENT) is None


def test_the_intervals_are_those_of_the_contract_and_the_server():
    text = (Path(__file__).parents[3] / "proto/glasstape/v1/market.proto").read_text()
    (listed,) = re.findall(r"// Length: one of ([\w ]+)\.", text)
    assert list(INTERVALS) == listed.split()
    assert {
        name: length / timedelta(microseconds=1) for name, length in INTERVALS.items()
    } == SERVER_INTERVALS
