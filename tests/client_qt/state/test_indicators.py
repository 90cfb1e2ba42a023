"""Indicators, each against its definition written out."""

import numpy as np
import pytest
from glasstape_qt.state import indicators

RNG = np.random.default_rng(7)
CLOSE = 100 * np.exp(np.cumsum(RNG.normal(0, 0.02, 150)))
HIGH, LOW, VOLUME = CLOSE * 1.01, CLOSE * 0.98, RNG.uniform(1, 9, 150)


def test_a_moving_average_is_the_mean_of_the_last_values():
    average = indicators.moving_average(CLOSE, 20)
    assert np.isnan(average[:19]).all()
    for number in (19, 60, 149):
        assert average[number] == pytest.approx(CLOSE[number - 19 : number + 1].mean())
    assert np.isnan(indicators.moving_average(CLOSE[:10], 20)).all()


def test_an_exponential_average_weighs_the_newest_value_by_its_factor():
    average = indicators.exponential_average(CLOSE, 9)
    assert average[8] == pytest.approx(CLOSE[:9].mean())
    assert average[100] == pytest.approx(0.2 * CLOSE[100] + 0.8 * average[99])
    led = indicators.exponential_average(np.concatenate([[np.nan] * 3, CLOSE]), 9)
    np.testing.assert_allclose(led[3:], average)


def test_bollinger_bands_are_two_deviations_around_the_average():
    lower, middle, upper = indicators.bollinger_bands(CLOSE)
    window = CLOSE[81:101]
    assert middle[100] == pytest.approx(window.mean())
    assert upper[100] == pytest.approx(window.mean() + 2 * window.std())
    assert lower[100] == pytest.approx(window.mean() - 2 * window.std())


def test_the_volume_weighted_price_begins_anew_each_session():
    session = np.repeat([5, 6, 9], 50)
    price = indicators.volume_weighted_price(HIGH, LOW, CLOSE, VOLUME, session)
    typical = (HIGH + LOW + CLOSE) / 3
    for first, last in ((0, 49), (50, 50), (100, 130)):
        part = slice(first, last + 1)
        assert price[last] == pytest.approx(np.average(typical[part], weights=VOLUME[part]))
    none = indicators.volume_weighted_price(HIGH, LOW, CLOSE, np.zeros(150), session)
    assert np.isnan(none).all()


def test_the_relative_strength_is_between_its_bounds():
    rising, falling = np.arange(1.0, 40.0), np.arange(40.0, 1.0, -1.0)
    assert indicators.relative_strength(rising)[-1] == 100.0
    assert indicators.relative_strength(falling)[-1] == 0.0
    assert indicators.relative_strength(np.ones(30))[-1] == 50.0
    # The example of Wilder's smoothing at StockCharts, ChartSchool "RSI": 70.53 after 14 changes, then 66.32.
    close = np.array([44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
                      45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028])  # fmt: skip
    np.testing.assert_allclose(indicators.relative_strength(close)[14:], [70.53, 66.32], atol=0.01)


def test_average_convergence_is_the_difference_of_two_averages():
    line, signal, histogram = indicators.average_convergence(CLOSE)
    fast, slow = indicators.exponential_average(CLOSE, 12), indicators.exponential_average(CLOSE, 26)
    np.testing.assert_allclose(line, fast - slow)
    assert np.isnan(signal[:33]).all()
    assert np.isfinite(signal[33:]).all()
    np.testing.assert_allclose(histogram, line - signal)
