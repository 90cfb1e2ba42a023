"""GetImportance on both wires."""

from datetime import timedelta

import grpc
import numpy as np
import pytest
from asking import array, maps, symbols
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from markets import SYMBOLS

STEPS, WIDTH = 6, 8
OWN = list(SYMBOLS)
"""Other tests publish further symbols, also with later bars."""
EVER = pb.WindowFilter(symbols=OWN, start_time=Timestamp(seconds=0))


@pytest.fixture(scope="module")
def stub(market):
    with grpc.insecure_channel(market.address) as channel:
        yield inference_pb2_grpc.InferenceServiceStub(channel)


def ask(stub, timeout=30, **asked):
    return stub.GetImportance(pb.GetImportanceRequest(**asked), timeout=timeout)


def last(market, days=0):
    moment = Timestamp()
    moment.FromDatetime(market.bars["AAA"][market.published - 1].close_time - timedelta(days=days))
    return moment


def test_every_feature_bar_and_cell_has_its_figures(stub):
    response = ask(stub, filter=EVER, permutation=True)
    model = stub.GetModel(pb.GetModelRequest()).model
    names = [feature.name for feature in model.features]
    assert response.model == model.ref
    assert (response.shape.time, response.shape.features) == (STEPS, WIDTH)
    features, rest = response.parts[:WIDTH], response.parts[WIDTH:]
    bars, cells = rest[:STEPS], rest[STEPS:]
    assert [part.feature for part in features] == names
    assert not any(part.HasField("time_index") for part in features)
    assert [part.time_index for part in bars] == list(range(STEPS))
    assert not any(part.HasField("feature_index") for part in bars)
    assert [(part.time_index, part.feature) for part in cells] == [
        (t, n) for t in range(STEPS) for n in names
    ]
    for group in (features, bars, cells):
        assert sum(part.share.value for part in group) == pytest.approx(1)
        assert all(part.HasField("loss_increase") and not part.HasField("change") for part in group)


def test_importance_is_the_mean_of_the_maps_of_explain(market, stub):
    """The same windows, explained one by one from their bars."""
    response = ask(stub, filter=pb.WindowFilter(symbols=OWN, days=4), method=pb.Explanation.METHOD_OCCLUSION)
    ends = range(market.published - 4, market.published + 1)
    sequences = [bars[:end] for bars in market.bars.values() for end in ends]
    explanations = market.client.explain(bars=sequences, method="occlusion")
    wanted = np.abs([each.heatmap.values for each in explanations]).mean(0)
    cells = [part.importance.value for part in response.parts[STEPS + WIDTH :]]
    np.testing.assert_allclose(array(cells), wanted, rtol=1e-3, atol=1e-6)
    assert response.windows.windows == len(sequences)


def test_what_was_left_out_adds_up(market, stub):
    chosen = ask(
        stub, filter=pb.WindowFilter(symbols=OWN, start_time=Timestamp(), directions=[pb.DIRECTION_UP])
    ).windows
    assert chosen.bars == len(market.bars) * market.published
    assert chosen.examined == chosen.windows + chosen.unusable + chosen.other_calls
    assert (chosen.up, chosen.down, chosen.flat) == (chosen.windows, 0, 0)


def test_few_closes_give_figures_without_intervals(stub):
    response = ask(stub, filter=pb.WindowFilter(symbols=OWN, days=1))
    assert not response.parts[0].importance.HasField("low")
    assert response.parts[0].importance.value > 0


def test_drift_is_the_change_of_the_shares(market, stub):
    response = ask(stub, filter=pb.WindowFilter(symbols=OWN, days=4), reference=pb.WindowFilter(symbols=OWN))
    assert response.reference_windows.end_time.ToDatetime() < response.windows.start_time.ToDatetime()
    assert len(response.parts) == len(response.reference_parts)
    for part, before in zip(response.parts, response.reference_parts, strict=True):
        assert part.change.change.value == pytest.approx(part.share.value - before.share.value)
        assert not before.HasField("change")


def test_a_period_without_bars_has_no_parts(stub):
    response = ask(stub, filter=pb.WindowFilter(start_time=Timestamp(), end_time=Timestamp(seconds=9)))
    assert (response.windows.windows, response.windows.bars, len(response.parts)) == (0, 0, 0)


def test_a_sensitivity_counts_per_standard_deviation(market, stub):
    gradient = pb.Explanation.METHOD_GRADIENT
    response = ask(stub, filter=pb.WindowFilter(symbols=["AAA"], start_time=last(market)), method=gradient)
    (explanation,) = maps(stub.Explain(pb.ExplainRequest(input=symbols("AAA"), method=gradient), timeout=30))
    model = stub.GetModel(pb.GetModelRequest()).model
    deviation = np.array([feature.standard_deviation for feature in model.features])
    wanted = array(explanation.heatmap.values) * deviation
    cells = response.parts[STEPS + WIDTH :]
    assert response.quantity == pb.Heatmap.QUANTITY_SENSITIVITY
    np.testing.assert_allclose(array([part.signed_mean.value for part in cells]), wanted, rtol=1e-4)
    np.testing.assert_allclose(array([part.importance.value for part in cells]), np.abs(wanted), rtol=1e-4)


TOO_LATE = Timestamp(seconds=1 << 33)


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ({"max_windows": 16_385}, "INVALID_ARGUMENT", "max_windows: must be 0-16384, is 16385"),
        ({"seed": 1 << 63}, "INVALID_ARGUMENT", "seed: must be 0-"),
        ({"method": 11}, "INVALID_ARGUMENT", "method: must have a signed map of single cells"),
        ({"method": 99}, "INVALID_ARGUMENT", "method: must be a value of the enum"),
        ({"score": 9}, "INVALID_ARGUMENT", "score: must be a value of the enum"),
        ({"method": 12}, "FAILED_PRECONDITION", "cannot serve METHOD_ATTENTION_X_GRADIENT"),
        ({"model": "nothing"}, "NOT_FOUND", "nothing"),
        ({"filter": pb.WindowFilter(symbols=["ZZZ"])}, "NOT_FOUND", "filter.symbols: no 1d bars of 'ZZZ'"),
        ({"filter": pb.WindowFilter(symbols=["a b"])}, "INVALID_ARGUMENT", "filter.symbols[0]: "),
        ({"filter": pb.WindowFilter(directions=[0])}, "INVALID_ARGUMENT", "filter.directions[0]: must be"),
        ({"filter": pb.WindowFilter(days=36_501)}, "INVALID_ARGUMENT", "filter.days: must be 0-36500"),
        ({"filter": pb.WindowFilter(days=2, validation=True)}, "INVALID_ARGUMENT", "filter.days: must be unset"),
        ({"filter": pb.WindowFilter(days=2, start_time=Timestamp())}, "INVALID_ARGUMENT", "filter.days: must"),
        (
            {"filter": pb.WindowFilter(validation=True, end_time=Timestamp())},
            "INVALID_ARGUMENT",
            "filter.end_time: must be unset with validation",
        ),
        ({"filter": pb.WindowFilter(end_time=TOO_LATE)}, "INVALID_ARGUMENT", "filter.end_time: must be between"),
        (
            {"filter": pb.WindowFilter(start_time=Timestamp(seconds=9), end_time=Timestamp(seconds=8))},
            "INVALID_ARGUMENT",
            "filter.start_time: must not be after the end of the period (1970-01-01T00:00:08Z)",
        ),
        (
            {"reference": pb.WindowFilter(start_time=Timestamp(), end_time=Timestamp(seconds=1 << 31))},
            "INVALID_ARGUMENT",
            "reference: must not overlap",
        ),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_rejected_with_field_rule_and_value(stub, asked, code, text):
    with pytest.raises(grpc.RpcError) as error:
        ask(stub, **asked)
    assert error.value.code().name == code
    assert text in error.value.details()


def test_a_deadline_ends_the_call_and_the_server_goes_on(stub):
    with pytest.raises(grpc.RpcError) as error:
        ask(stub, timeout=0.02, filter=EVER, permutation=True, method=pb.Explanation.METHOD_SMOOTHGRAD)
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert ask(stub, filter=EVER).windows.windows > 0
