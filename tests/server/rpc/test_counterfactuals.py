"""Counterfactuals over the wire: edits of a bar that a market allows."""

from dataclasses import replace

import grpc
import pytest
from asking import array, explain, maps, symbols, windows
from glasstape import Instrument, InvalidRequestError
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc, market_pb2
from made_up import OLDER, daily


@pytest.fixture(scope="module")
def stub(market):
    with grpc.insecure_channel(market.address) as channel:
        yield inference_pb2_grpc.InferenceServiceStub(channel)


def test_a_counterfactual_is_a_bar_that_predicts_another_class(stub, market):
    made = maps(explain(stub, symbols("AAA", "BBB"), method=pb.Explanation.METHOD_COUNTERFACTUAL))
    found = 0
    for one, name in zip(made, ("AAA", "BBB"), strict=True):
        flip = one.counterfactual
        assert not flip.hypothetical
        if not flip.found:
            assert one.quality.verdict == pb.Quality.VERDICT_DEGENERATE
            continue
        found += 1
        assert flip.direction != one.prediction.confidence.direction
        bars = [bar for bar in market.client.bars(name, "1d") if not bar.provisional][-200:]
        last = bars[-1]
        assert (flip.bar.open, flip.bar.close, flip.bar.volume) == (last.open, last.close, last.volume)
        after = replace(
            last, open=flip.edited_bar.open, high=flip.edited_bar.high, low=flip.edited_bar.low,
            close=flip.edited_bar.close, volume=flip.edited_bar.volume,
        )  # fmt: skip
        said = market.client.predict(bars=[[*bars[:-1], after]])[0].unwrap()
        assert said.direction + 1 == flip.direction
        assert said.up == pytest.approx(flip.confidence.up, abs=1e-6)
        change = array(one.heatmap.values)
        assert (change[:-1] == 0).all()
        assert (change[-1] != 0).any()
    assert found


def test_a_counterfactual_of_bare_windows_is_called_hypothetical(stub):
    made = maps(explain(stub, method=pb.Explanation.METHOD_COUNTERFACTUAL, quality=pb.QUALITY_LEVEL_FULL))
    assert any(one.counterfactual.found for one in made)
    for one in made:
        assert one.counterfactual.hypothetical
        assert not one.counterfactual.HasField("bar")
        if one.counterfactual.found:
            assert one.quality.verdict == pb.Quality.VERDICT_CAUTION
            assert "hypothetical" in one.quality.reasons[0]
            assert one.counterfactual.size <= 3 * 8**0.5


def test_a_counterfactual_of_a_past_signal_edits_its_own_bar(stub, market):
    event = next(iter(market.client.history(symbols=["AAA"], kinds=["confidence"])))
    refs = pb.PredictionInput(signals=pb.SignalRefs(sequences=[event.sequence]))
    made = explain(stub, refs, method=pb.Explanation.METHOD_COUNTERFACTUAL).results[0].explanation
    assert made.counterfactual.bar.close == event.signal.bar.close
    assert made.bar_close_times[-1].ToDatetime() == event.bar_close_time.replace(tzinfo=None)


def test_a_counterfactual_that_is_to_reach_the_winner_is_a_bad_item_and_one_not_found_says_what_was_sought(
    stub,
):
    source = pb.PredictionInput(windows=windows(6))
    won = [p.confidence.direction for p in stub.Predict(pb.PredictRequest(input=source)).predictions]
    for foil in (1, 2, 3):
        results = explain(stub, source, method=pb.Explanation.METHOD_COUNTERFACTUAL, foil=foil).results
        for result, winner in zip(results, won, strict=True):
            one = result.explanation
            if winner == foil:
                assert "must differ from the winner" in result.problem.message
            else:
                assert one.foil == foil
                if not one.counterfactual.found:
                    assert "leads to" in one.quality.reasons[0]


def test_an_items_bars_do_not_depend_on_its_neighbours(stub, market):
    """Carried bars follow the instrument's tick, as the server's own do."""

    bars = daily("TICKED", 120, seed=5, first=OLDER)
    market.client.publish_bars(
        bars, mode="backfill", instruments=[Instrument(symbol="TICKED", price_decimals=1)]
    )
    own = market.client.explain(symbols=["TICKED"], method="counterfactual")[0].counterfactual
    carried = market.client.explain(bars=[bars], method="counterfactual")[0].counterfactual
    assert own == carried
    assert own.found
    for name in ("open", "high", "low", "close"):
        value, before = getattr(own.edited_bar, name), own.bar
        assert round(value, 1) == value or value in (before.open, before.high, before.low, before.close)


def test_ticks_and_price_limits_bind_counterfactuals(stub, market):
    bars = daily("LIMITED", 120, seed=8, first=OLDER)
    previous, last = bars[-2].close, bars[-1]
    sizes = {}
    for limit in (0.02, 0.001):
        described = Instrument(symbol="LIMITED", time_zone="UTC", tick_size=0.5, price_limit=limit)
        market.client.publish_bars(bars, mode="backfill", instruments=[described])
        assert described in market.client.instruments()
        flip = (
            explain(stub, symbols("LIMITED"), method=pb.Explanation.METHOD_COUNTERFACTUAL)
            .results[0]
            .explanation.counterfactual
        )
        assert flip.found
        low, high = min(last.low, previous * (1 - limit)), max(last.high, previous * (1 + limit))
        for name in ("open", "high", "low", "close"):
            value = getattr(flip.edited_bar, name)
            assert low - 1e-9 <= value <= high + 1e-9
            assert value in (last.open, last.high, last.low, last.close) or (value * 2) % 1 == 0
        sizes[limit] = flip.size
    assert sizes[0.001] > sizes[0.02]


def test_a_price_limit_beyond_reason_is_refused(market):
    assert market_pb2.Instrument(symbol="X", price_limit=0.3).price_limit == 0.3
    with pytest.raises(InvalidRequestError, match="price_limit"):
        market.client.publish_bars([], instruments=[Instrument(symbol="X", price_limit=1.5)])
