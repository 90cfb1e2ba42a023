from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.features.compute import features, inputs_of
from glasstape_server.features.series import Series, sessions
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.standard import macd_kernel
from glasstape_server.features.windows import all_windows, latest_windows
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import series

SPEC = FeatureSpec()


@settings(max_examples=60, deadline=None)
@given(st.integers(75, 119), st.integers(0, 4), st.floats(0.2, 5), st.integers(0, 2**32 - 1))
def test_changing_any_bar_after_t_never_changes_a_feature_at_t(t, column, factor, seed):
    market = series(120, seed % 7)
    name = ("open", "high", "low", "close", "volume")[column]
    later = getattr(market, name).copy()
    later[t + 1 :] *= factor
    changed = features(SPEC, replace(market, **{name: later}))
    np.testing.assert_array_equal(changed[: t + 1], features(SPEC, market)[: t + 1])


def test_a_window_is_the_same_bits_alone_in_history_and_in_a_stack():
    whole = series(300, 1)
    windows, last = all_windows(SPEC, whole)
    at = 250
    part = Series(*(getattr(whole, name)[: at + 1] for name in Series.__slots__)).tail(SPEC.min_bars)
    stacked = Series(*(np.stack([getattr(part, name)] * 3) for name in Series.__slots__))
    alone, usable = latest_windows(SPEC, stacked)
    assert usable.all()
    np.testing.assert_array_equal(alone[1], windows[last == at][0])


def test_features_do_not_depend_on_price_or_volume_units():
    market = series(150, 2)
    scaled = replace(
        market,
        open=market.open * 1000,
        high=market.high * 1000,
        low=market.low * 1000,
        close=market.close * 1000,
    )
    np.testing.assert_allclose(features(SPEC, scaled), features(SPEC, market), rtol=1e-9, atol=1e-9)


def test_values_against_formulas_written_out():
    market = series(120, 3)
    t = 110
    row = dict(zip(SPEC.names, features(SPEC, market)[t], strict=True))
    returns = np.diff(np.log(market.close))
    sigma = np.sqrt(np.mean(returns[t - 21 : t - 1] ** 2))
    assert row["close_return"] == pytest.approx(returns[t - 1] / sigma)
    assert row["open_return"] == pytest.approx(np.log(market.open[t] / market.close[t - 1]) / sigma)
    volume = market.volume[t - 20 : t].mean()
    assert row["relative_volume"] == pytest.approx(np.log((market.volume[t] + 1) / (volume + 1)))
    average = market.close[t - 19 : t + 1].mean()
    assert row["average_distance"] == pytest.approx(np.log(market.close[t] / average) / (sigma * np.sqrt(20)))
    last = returns[t - 14 : t]
    gains, losses = last[last > 0].sum(), -last[last < 0].sum()
    assert row["rsi"] == pytest.approx((gains - losses) / (gains + losses))


def test_the_macd_histogram_of_a_straight_line_settles_and_its_weights_cancel():
    kernel = macd_kernel(12, 26, 9)
    assert kernel.sum() == pytest.approx(0, abs=1e-12)
    assert len(kernel) == 2 * 26 + 2 * 9 - 1 <= SPEC.look_back
    assert len(macd_kernel(26, 12, 9)) == len(kernel)


def test_the_first_complete_row_is_where_look_back_says():
    rows = features(SPEC, series(120))
    complete = np.isfinite(rows).all(axis=1)
    assert not complete[: SPEC.look_back - 1].any()
    assert complete[SPEC.look_back - 1 :].all()
    windows, last = all_windows(SPEC, series(SPEC.min_bars))
    assert len(windows) == 1
    assert last[0] == SPEC.min_bars - 1


def test_a_market_that_does_not_move_has_finite_features():
    flat = np.full(100, 10.0)
    close_time = np.arange(100) * DAY
    rows = features(SPEC, Series(close_time, flat, flat, flat, flat, np.zeros(100), close_time))
    assert np.isfinite(rows[SPEC.look_back :]).all()


def test_split_keeps_windows_and_previous_closes_within_a_day():
    split = FeatureSpec(session_gap="split")
    bars = 160
    minute = 60_000_000
    close_time = np.concatenate([d * DAY + 9 * 60 * minute + (np.arange(40) + 1) * minute for d in range(4)])
    base = series(bars, 4)
    market = replace(base, close_time=close_time, session=sessions(close_time, "1m", "UTC"))
    assert inputs_of(split, market).previous_close[40] == market.open[40]
    assert inputs_of(SPEC, market).previous_close[40] == market.close[39]
    _, last = all_windows(split, market)
    assert last.size
    assert not np.isin(last % 40, range(5)).any()


def test_sessions_are_local_days_of_the_opening():
    hour = 3_600_000_000
    # 09:00-10:00 and 14:00-15:00 in Seoul are 00:00-01:00 and 05:00-06:00 UTC of the same day.
    closes = np.array([1, 6, 25]) * hour
    seoul = sessions(closes, "1h", "Asia/Seoul")
    assert seoul[0] == seoul[1] != seoul[2]
