"""Calls of both clients against a scripted server."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from glasstape import (
    AsyncClient,
    BarMode,
    Client,
    CorrectionKind,
    Direction,
    ErrorReason,
    Health,
    Include,
    Instrument,
    InvalidRequestError,
    ModelView,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    PreconditionError,
    UnavailableError,
    Violation,
)
from glasstape.testing import MODEL, FakeServer, make_buy, make_confidence, make_confidence_event
from made_up import daily
from requests_of import BAR, INSTRUMENT

WINDOWS = np.zeros((3, 6, 8), np.float32)


@pytest.fixture
def fake():
    with FakeServer() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def call(request, fake):
    """Call a method of either client and return its result; iterators are read to their end."""

    def sync(name, *arguments, **options):
        with Client(fake.address) as client:
            result = getattr(client, name)(*arguments, **options)
            return list(result) if name == "history" else result

    async def aio(name, *arguments, **options):
        async with AsyncClient(fake.address) as client:
            result = getattr(client, name)(*arguments, **options)
            return [event async for event in result] if name == "history" else await result

    if request.param == "sync":
        return sync
    return lambda *arguments, **options: asyncio.run(aio(*arguments, **options))


def test_predictions_and_maps_are_those_of_the_script(fake, call):
    fake.predict = lambda symbol, window: make_confidence(0.7, 0.2, 0.1)
    fake.explain = lambda symbol, window: np.arange(48, dtype=np.float32).reshape(6, 8)
    (prediction,) = call("predict", symbols=["X"])
    assert prediction.model == MODEL.ref
    assert prediction.unwrap().direction is Direction.DOWN
    explanations = call("explain", windows=WINDOWS)
    assert [item.heatmap.values[1, 0] for item in explanations] == [8.0] * 3
    assert explanations[0].confidence.direction is Direction.DOWN
    assert explanations[0].drivers[0].feature == "feature_7"


@pytest.mark.parametrize(
    ("include", "prediction", "drivers"),
    [(None, True, 1), ([], False, 0), (["drivers"], False, 1), ([Include.PREDICTION, "window"], True, 0)],
)
def test_an_explanation_holds_what_is_included(call, include, prediction, drivers):
    (item,) = call("explain", symbols=["X"], include=include)
    assert item.model == MODEL.ref
    assert (item.prediction is not None) is prediction
    assert len(item.drivers) == drivers


def test_stored_bars_are_listed_and_corrected(fake, call):
    bars = daily("A", 3)
    call("publish_bars", bars, instruments=[replace(INSTRUMENT, symbol="A")])
    (series,) = call("stored_series")
    assert (series.symbol, series.bar_count, series.last_close) == ("A", 3, bars[2].close_time)
    assert series.age > timedelta(days=365)
    assert call("remove_bars", "A", "1d", start=bars[1].close_time, end=bars[2].close_time) == 2
    assert call("rename_symbol", "A", "B") == 1
    assert fake.published == [replace(bars[0], symbol="B")]
    assert list(fake.instruments) == ["B"]
    kinds = [(item.kind, item.bar) for item in call("corrections")]
    assert kinds == [
        (CorrectionKind.REMOVED, bars[1]),
        (CorrectionKind.REMOVED, bars[2]),
        (CorrectionKind.RENAMED, None),
    ]
    assert len(call("corrections", "B")) == 1
    assert call("stored_series", "A") == []


def test_times_of_a_removal_need_a_zone(call):
    with pytest.raises(InvalidRequestError, match=r"start: must have a time zone"):
        call("remove_bars", "A", "1d", start=datetime(2024, 1, 1), end=datetime(2024, 1, 2))


def test_an_item_that_fails_does_not_fail_the_others(fake, call):
    def predict(symbol, window):
        if symbol == "NOPE":
            raise NotFoundError("no bars of 'NOPE'", reason="SYMBOL_NOT_FOUND")
        return make_confidence()

    fake.predict = predict
    predictions = call("predict", symbols=["A", "NOPE"])
    assert predictions[0].error is None
    assert predictions[1].error.reason is ErrorReason.SYMBOL_NOT_FOUND
    explanations = call("explain", symbols=["NOPE", "A"])
    assert [item.symbol for item in explanations] == ["NOPE", "A"]
    with pytest.raises(NotFoundError, match="no bars of 'NOPE'"):
        explanations[0].unwrap()


def test_windows_and_maps_have_the_size_of_the_model():
    model = replace(MODEL, time_steps=4, features=MODEL.features[:3])
    with FakeServer(model=model) as fake, Client(fake.address) as client:
        shapes = []
        fake.predict = lambda symbol, window: shapes.append(window.shape) or make_confidence()
        (item,) = client.explain(windows=np.zeros((4, 3)))
        assert (item.heatmap.values.shape, shapes) == ((4, 3), [(4, 3)])


def test_the_server_describes_itself_and_its_models(call):
    info = call("server_info")
    assert (info.contract_version, info.server_version, info.limits.max_items) == ("1.0", "fake", 16_384)
    for view in ("basic", ModelView.FULL):
        assert call("models", view=view) == [MODEL]
    assert call("model") == MODEL


def test_bars_are_published_in_batches(fake, call):
    bars = daily("A", 3)
    assert call("publish_bars", bars).stored == 3
    assert fake.calls["PublishBars"] == 1
    many = [BAR] * 16_385
    report = call("publish_bars", many, mode=BarMode.BACKFILL, instruments=[INSTRUMENT])
    assert report.stored == len(many)
    assert fake.calls["PublishBars"] == 3
    assert fake.published_modes == ["final", "backfill", "backfill"]
    assert len(fake.published) == 3 + len(many)
    assert call("instruments") == [
        Instrument(symbol="A", time_zone="UTC", assumed=("time_zone",)),
        INSTRUMENT,
    ]
    assert call("bars", "A", "1d") == bars


def test_history_is_filtered_and_ordered(fake, call):
    for event in (make_confidence_event("A"), make_buy("A"), make_buy("B"), make_buy("A")):
        fake.emit(event)
    found = call("history", symbols=["A"], kinds=["buy"], descending=True)
    assert [event.sequence for event in found] == [4, 2]
    assert [event.sequence for event in call("history", start_sequence=2, end_sequence=3)] == [2, 3]


def test_a_failed_call_is_an_error_with_all_its_details(fake, call):
    sent = OverloadedError(
        "quota", reason="QUOTA_EXCEEDED", metadata={"quota": "items"}, retry_after=1.5,
        violations=(Violation("input", "must be less"),),
    )  # fmt: skip
    fake.fail("Predict", sent)
    with pytest.raises(OverloadedError, match="quota") as caught:
        call("predict", symbols=["A"])
    error = caught.value
    assert error.reason is ErrorReason.QUOTA_EXCEEDED
    assert (error.metadata, error.retry_after, error.violations) == (sent.metadata, 1.5, sent.violations)
    assert fake.calls["Predict"] == 1


def test_a_reason_of_a_newer_server_keeps_its_text(fake, call):
    fake.fail("GetModel", PreconditionError("m", reason="FROM_TOMORROW"))
    with pytest.raises(PreconditionError) as caught:
        call("model")
    assert caught.value.reason == "FROM_TOMORROW"


def test_only_unavailable_calls_are_retried(fake, call):
    fake.fail("ListModels", UnavailableError("starting", reason="LOADING"))
    with pytest.raises(UnavailableError, match="starting") as caught:
        call("models")
    assert caught.value.reason is ErrorReason.LOADING
    assert fake.calls["ListModels"] == 5
    fake.fail("ListModels", None)
    assert call("models") == [MODEL]
    fake.fail("ListBars", PermissionDeniedError("no", reason="SCOPE_MISSING"))
    with pytest.raises(PermissionDeniedError):
        call("bars", "A", "1d")
    assert fake.calls["ListBars"] == 1


def test_health_tells_serving_unknown_and_unreachable(fake, call):
    assert call("ready") is True
    assert call("health") == Health(serving=True)
    with pytest.raises(NotFoundError):
        call("health", "no.such.Service")
    with Client("127.0.0.1:1", timeout=2.0) as client:
        assert client.health() == Health(
            serving=False, reachable=False, reasons=("the server is unreachable",)
        )


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("publish_bars", {"bars": [], "mode": "later"}, "mode"),
        ("publish_bars", {"bars": 3}, "arguments"),
        ("explain", {"symbols": ["A"], "include": ["everything"]}, "include"),
        ("models", {"view": "all"}, "view"),
        ("signals", {"delivery": "fast"}, "delivery"),
        ("history", {"kinds": ["rumor"]}, "kinds"),
        ("track_record", {"group_by": ["day"]}, "group_by"),
        ("bars", {"symbol": "A", "interval": "1d", "start": BAR.close_time.replace(tzinfo=None)}, "start"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(name, arguments, field):
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidRequestError) as caught:
        getattr(client, name)(**arguments)
    assert caught.value.violations[0].field == field
