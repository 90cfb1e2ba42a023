"""Every argument of every method of both clients: a value that it cannot have is refused by its name."""

import inspect
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from glasstape import AsyncClient, BarMode, Client, GlasstapeError, InvalidRequestError, _calls
from glasstape.session import Recorder, SessionServer
from glasstape.testing import FakeServer
from glasstape_server.domain.limits import MAX_COST
from requests_of import BAR

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
REQUIRED = {
    "bars": {"symbol": "A", "interval": "1d"},
    "remove_bars": {"symbol": "A", "interval": "1d", "start": NOON, "end": NOON},
    "rename_symbol": {"symbol": "A", "new_symbol": "B"},
    "publish_bars": {"bars": []},
}
"""Arguments without a default; a source stands alone, so that the methods with sources have none here."""
SOURCES = ("windows", "bars", "symbols", "signals")
WRONG = {
    "an object": object(),
    "complex": 5j,
    "masked": np.ma.masked,
    "a duration of numpy": np.timedelta64(5, "ns"),
    "a surrogate": "\ud800",
    "longer than Python prints": 10**5000,
    "NaN": float("nan"),
    "an array": np.array(0.5),
    "an array of two lines": np.zeros((2, 1, 1, 1, 1)),
}


class Unconvertible(int):
    """A number whose class fails to convert it."""

    def __float__(self):
        raise RuntimeError

    def __str__(self):
        return "two\nlines"

    __repr__ = __str__


TRUTH = {"True": True, "False": np.False_}


def methods(kind):
    return [
        (name, function)
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name != "close"
    ]


def cases():
    for name, function in methods(Client):
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            values = WRONG if "bool" in str(parameter.annotation) else WRONG | TRUTH
            for label, value in values.items():
                yield pytest.param(name, parameter.name, value, id=f"{name}-{parameter.name}-{label}")


def arguments(name, parameter, value):
    needed = REQUIRED.get(name, {})
    if name in ("predict", "explain") and parameter not in SOURCES:
        needed = {"symbols": ["A"]}
    return {**needed, parameter: value}


def refused(call, parameter):
    with pytest.raises(InvalidRequestError) as caught:
        call()
    (violation,) = caught.value.violations
    assert "\n" not in str(caught.value)
    assert violation.field.partition("[")[0] == parameter
    assert violation.rule.startswith(("must be", "must have", "must not"))
    assert len(str(caught.value)) < 400


def awaited(result):
    return result.send(None) if inspect.isawaitable(result) else result


@pytest.mark.parametrize(("name", "parameter", "value"), list(cases()))
def test_a_value_that_an_argument_cannot_have_is_refused_by_its_name(name, parameter, value):
    given = arguments(name, parameter, value)
    for kind in (Client, AsyncClient):
        client = kind("localhost:1", timeout=0.1)
        refused(lambda made=client: awaited(getattr(made, name)(**given)), parameter)


def test_both_clients_have_the_same_arguments():
    for name, function in methods(Client):
        ours, theirs = (inspect.signature(f).parameters for f in (function, getattr(AsyncClient, name)))
        assert list(ours) == list(theirs)
        assert [each.default for each in ours.values()] == [each.default for each in theirs.values()]


@pytest.mark.parametrize(
    "value",
    [*WRONG.values(), Unconvertible(5), True, -1, 0, None, 10**400, Decimal("NaN"), "5"],
    ids=lambda value: type(value).__name__,
)
def test_a_timeout_of_a_client_is_a_finite_number_above_zero(value):
    for kind in (Client, AsyncClient):
        refused(lambda made=kind: made("localhost:1", timeout=value), "timeout")


@pytest.mark.parametrize(
    "value",
    [np.int64(5), np.float32(5), Decimal(5), Fraction(5), timedelta(seconds=5), timedelta.max],
    ids=repr,
)
def test_numbers_of_every_type_are_timeouts(value):
    with FakeServer() as server, Client(server.address, timeout=value) as client:
        assert client.model(timeout=value).ref.name == "fake"


STREAM = {
    "heartbeat_interval": [-1, 0, 0.05, 61, timedelta(-1), timedelta.max, float("inf")],
    "conflation_interval": [-0.1, 61, timedelta.max, 1e300],
    "min_confidence": [-0.1, 1.5, 10**400],
    "silence_timeout": [0, -1, timedelta(0), float("inf")],
    "on_notice": [5, "print", [print]],
    "heatmap_method": [0, False, "", "no such"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in STREAM.items() for v in values])
def test_a_stream_that_no_server_accepts_is_refused(name, value):
    for kind in (Client, AsyncClient):
        refused(lambda made=kind: made("localhost:1").signals(**{name: value}), name)


def test_a_coroutine_function_handles_no_notices():
    async def handle(notice):
        raise AssertionError

    for kind in (Client, AsyncClient):
        refused(lambda made=kind: made("localhost:1").signals(on_notice=handle), "on_notice")


def test_the_ranges_of_a_stream_are_those_of_the_contract():
    text = (Path(__file__).parents[3] / "proto/glasstape/v1/signals.proto").read_text()
    for name, (least, most) in (
        ("conflation_interval", _calls.CONFLATION_INTERVAL_S),
        ("heartbeat_interval", _calls.HEARTBEAT_INTERVAL_S),
    ):
        comment = text.partition(f"google.protobuf.Duration {name} =")[0][-300:]
        assert f"{least:g}-{most:g} s" in comment
    assert _calls.LARGEST_COST == MAX_COST


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_backfill_is_a_truth_value_that_agrees_with_the_mode(kind):
    client = kind("localhost:1", timeout=0.1)

    def publish(**options):
        return awaited(client.publish_bars([BAR], **options))

    for value in ("False", "no", 0, 1, None):
        refused(partial(publish, backfill=value), "backfill")
    for mode in ("replace", "final", BarMode.PROVISIONAL):
        refused(partial(publish, mode=mode, backfill=True), "backfill")


def test_the_modes_of_bars_reach_the_server():
    with FakeServer() as server, Client(server.address) as client:
        for options in ({}, {"backfill": True}, {"mode": "backfill", "backfill": True}, {"mode": "replace"}):
            client.publish_bars([BAR], **options)
        assert server.published_modes == ["final", "backfill", "backfill", "replace"]


@pytest.mark.parametrize("name", ["target", "foil"])
@pytest.mark.parametrize("value", [True, False, 1.0, -1, 3, "", "sideways", np.True_])
def test_a_direction_is_a_member_its_name_or_its_index(name, value):
    for kind in (Client, AsyncClient):
        refused(lambda made=kind: awaited(made("localhost:1").explain(symbols=["A"], **{name: value})), name)


@pytest.mark.parametrize("value", [0, False, ""])
def test_a_baseline_is_a_member_or_none(value):
    refused(lambda: Client("localhost:1").explain(symbols=["A"], baseline=value), "baseline")


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("explain", "method"), ("explain", "score"), ("explain", "quality"), ("models", "view"), ("signals", "start"),
        ("signals", "delivery"),
    ],
)  # fmt: skip
def test_none_is_no_member(name, parameter):
    refused(lambda: getattr(Client("localhost:1"), name)(**arguments(name, parameter, None)), parameter)


@pytest.mark.parametrize(
    ("name", "parameter"), [("explain", "include"), ("history", "kinds"), ("track_record", "group_by")]
)
def test_none_is_no_member_of_a_list(name, parameter):
    refused(lambda: getattr(Client("localhost:1"), name)(**arguments(name, parameter, [None])), parameter)


@pytest.mark.parametrize(
    ("options", "field"),
    [({"methods": None}, "methods"), ({"methods": 5}, "methods"), ({"methods": [None]}, "methods")],
)
def test_a_recorder_names_the_argument(tmp_path, options, field):
    refused(lambda: Recorder("localhost:1", tmp_path / "a", **options), field)
    refused(lambda: Recorder("localhost:1", None), "path")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"), [("speed", "1"), ("speed", None), ("speed", True), ("loop", "no"), ("path", 5)]
)
def test_a_session_server_names_the_argument(name, value):
    refused(lambda: SessionServer(**{"path": "none.session", name: value}), name)


def test_what_cannot_be_encoded_is_refused_by_its_place():
    with Client("localhost:1", timeout=0.1) as client, pytest.raises(GlasstapeError) as caught:
        client.predict(symbols=["A", "B\udcff"])
    assert str(caught.value) == "symbols[1]: must be Unicode text, has the surrogate U+DCFF at position 1"
