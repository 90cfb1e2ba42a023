"""Both clients against the real server: the same answers, the same errors."""

import inspect

import numpy as np
import pytest
from glasstape import (
    AsyncClient,
    Baseline,
    Client,
    DeadlineError,
    Direction,
    ErrorReason,
    InvalidRequestError,
    Method,
    ModelState,
    NotFoundError,
    PreconditionError,
    Quantity,
    Score,
    UnavailableError,
)
from glasstape.testing import FakeServer, make_confidence

WINDOWS = np.random.default_rng(3).normal(size=(3, 6, 8))


async def test_both_clients_give_the_same_answers(market):
    async with AsyncClient(market.address) as aio:
        sync = market.client
        assert await aio.predict(windows=WINDOWS) == sync.predict(windows=WINDOWS)
        assert await aio.model() == sync.model()
        assert await aio.models() == sync.models()
        assert await aio.bars("AAA", "1d") == sync.bars("AAA", "1d")
        assert await aio.instruments() == sync.instruments()
        assert await aio.track_record() == sync.track_record()
        assert [e async for e in aio.history(kinds=["buy"])] == list(sync.history(kinds=["buy"]))
        assert await aio.ready() is sync.ready() is True
        ours = await aio.explain(symbols=["AAA"], method="occlusion")
        theirs = sync.explain(symbols=["AAA"], method=Method.OCCLUSION)
        np.testing.assert_array_equal(ours[0].heatmap.values, theirs[0].heatmap.values)
        report = await aio.publish_bars(market.bars["AAA"][:10])
        assert report.duplicates == 10


def test_a_single_window_is_a_batch_of_one(market):
    assert len(market.client.predict(windows=WINDOWS[0])) == 1


def test_an_explanation_carries_everything(market):
    made = market.client.explain(
        windows=WINDOWS,
        method="integrated_gradients",
        score="margin",
        target="up",
        foil="down",
        baseline="zero",
    )[0]
    assert (made.method, made.score_kind, made.baseline) == (
        Method.INTEGRATED_GRADIENTS,
        Score.MARGIN,
        Baseline.ZERO,
    )
    assert (made.target, made.foil) == (Direction.UP, Direction.DOWN)
    assert made.heatmap.quantity is Quantity.CONTRIBUTION
    assert made.heatmap.values.shape == made.heatmap.native_shape == (6, 8)
    assert made.heatmap.values.sum() == pytest.approx(made.score - made.baseline_score, abs=0.02)
    assert not made.heatmap.values.flags.writeable
    assert made.drivers[0].feature in [f.name for f in market.client.model().features]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "input"),
        ({"windows": WINDOWS, "symbols": ["A"]}, "input"),
        ({"windows": np.zeros(8)}, "windows"),
        ({"symbols": "AAA"}, "symbols"),
        ({"windows": WINDOWS, "method": "magic"}, "method"),
        ({"windows": WINDOWS, "score": "best"}, "score"),
        ({"windows": WINDOWS, "target": "sideways"}, "target"),
        ({"windows": WINDOWS, "samples": -1}, "samples"),
    ],
)
def test_bad_arguments_are_found_before_anything_is_sent(arguments, field):
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidRequestError) as caught:
        client.explain(**arguments)
    assert caught.value.violations[0].field == field


def test_errors_are_of_one_tree_and_carry_reason_and_metadata(market):
    with pytest.raises(NotFoundError) as caught:
        market.client.model("nope")
    assert (caught.value.code, caught.value.reason) == ("NOT_FOUND", ErrorReason.MODEL_NOT_FOUND)
    assert caught.value.metadata == {"model": "nope"}
    with pytest.raises(PreconditionError, match="METHOD_GRADIENT, METHOD_GRADIENT_X_INPUT"):
        market.client.explain(windows=WINDOWS, method="attention")
    prediction = market.client.predict(symbols=["NOPE"])[0]
    with pytest.raises(NotFoundError):
        prediction.unwrap()


def test_no_server_is_unavailable_and_a_slow_one_a_deadline(market):
    with Client("127.0.0.1:1", timeout=2.0) as client:
        assert client.ready() is False
        with pytest.raises(UnavailableError):
            client.model()
    with Client(market.address, timeout=0.001) as client, pytest.raises(DeadlineError):
        client.explain(windows=np.zeros((4000, 6, 8)), method="occlusion")


def test_the_one_model_that_serves_is_active(market):
    assert [m.state for m in market.client.models()] == [ModelState.ACTIVE]


def test_the_fake_server_answers_as_scripted():
    with FakeServer() as fake, Client(fake.address) as client:
        fake.predict = lambda symbol, window: make_confidence(0.7, 0.2, 0.1)
        fake.explain = lambda symbol, window: np.full((6, 8), 0.5, np.float32)
        assert client.predict(symbols=["X"])[0].confidence.direction is Direction.DOWN
        assert client.explain(windows=WINDOWS)[2].heatmap.values.mean() == 0.5
        from made_up import daily

        bars = daily("X", 3)
        client.publish_bars(bars)
        assert fake.published == client.bars("X", "1d") == bars


def test_both_clients_have_the_same_methods_and_arguments():
    def surface(client):
        return {
            name: [(p.name, p.kind, p.default) for p in inspect.signature(member).parameters.values()]
            for name, member in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }

    assert surface(Client) == surface(AsyncClient)
