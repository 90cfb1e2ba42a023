import numpy as np
import pytest
from glasstape_server.bench.track_coverage import EDGES, SimulatedMarket, measure, measure_replays
from glasstape_server.domain.signals import Direction


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(
    "market", [SimulatedMarket(symbols=10), SimulatedMarket(sessions=100, symbols=5, horizon=5)]
)
def test_the_interval_covers_the_edge_in_93_of_100_markets(market, edge):
    coverage = measure(market, edge, markets=100)
    assert coverage.covered >= 93
    assert coverage.covered < 100, "the interval is far too wide"
    assert coverage.above_all_bars > edge + 0.02, "calls avoid quiet bars, which is no edge"


@pytest.mark.parametrize("edge", EDGES)
def test_the_interval_covers_the_edge_of_a_model_on_a_market_that_it_was_not_made_for(edge):
    coverage = measure_replays(edge, markets=12)
    assert coverage.covered >= 11
    assert coverage.mean == pytest.approx(edge, abs=0.02)


def test_a_large_edge_on_bars_is_seen():
    assert measure_replays(0.3, markets=5).mean == pytest.approx(0.3, abs=0.05)


def test_the_simulated_edge_is_the_stated_one():
    outcomes = [
        o.outcome
        for seed in range(20)
        for o in SimulatedMarket(symbols=100, correlation=0).outcomes(0.1, seed)
    ]
    called = [o for o in outcomes if o.predicted is not Direction.FLAT]
    opposite = np.mean([o.realized is Direction(2 - o.predicted) for o in called])
    assert np.mean([o.hit for o in called]) - opposite == pytest.approx(0.1, abs=0.01)
