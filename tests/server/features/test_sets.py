"""The features that set 2 adds, against formulas written out."""

from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.features.compute import features
from glasstape_server.features.series import Series, from_columns, sessions
from glasstape_server.features.sets import SETS
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import all_windows, latest_windows
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import columns, series

MINUTE = 60_000_000
ADDED = (
    "log_volatility", "volatility_ratio_short", "volatility_ratio_long", "range", "gap", "minute_of_day", "weekday",
)  # fmt: skip
SPEC = FeatureSpec(names=(*SETS["set1"], *ADDED))


def intraday(days=8, bars=40, zone="Asia/Seoul", seed=5, minutes=10):
    """Bars of 10 minutes from 09:00 local time on, Monday to Friday and on."""
    monday = 18_995 * DAY  # 2022-01-03
    first = monday - 9 * 3600 * 1_000_000 + 9 * 60 * MINUTE
    close_time = np.concatenate(
        [first + d * DAY + (np.arange(bars) + 1) * minutes * MINUTE for d in range(days)]
    )
    return from_columns(close_time, columns(days * bars, seed), sessions(close_time, "10m", zone), zone)


def rows_of(spec, market):
    return dict(zip(spec.names, features(spec, market).T, strict=True))


def test_set_2_begins_with_set_1_bit_for_bit():
    market = series(200, 1)
    np.testing.assert_array_equal(features(SPEC, market)[:, :8], features(FeatureSpec(), market))
    assert SETS["set2"][:8] == SETS["set1"] == FeatureSpec().names


def test_the_regime_compares_volatilities_of_three_lengths():
    market, t = series(160, 3), 130
    rows = rows_of(SPEC, market)
    returns = np.diff(np.log(market.close))

    def sigma(bars, end=t):
        return np.sqrt(np.mean(returns[end - bars : end] ** 2))

    assert rows["log_volatility"][t] == pytest.approx(np.log(100 * sigma(20)))
    assert rows["volatility_ratio_short"][t] == pytest.approx(np.log(sigma(5) / sigma(20)))
    assert rows["volatility_ratio_long"][t] == pytest.approx(np.log(sigma(20) / sigma(60)))
    assert rows["range"][t] == pytest.approx(np.log(market.high[t] / market.low[t]) / sigma(20, t - 1))


@pytest.mark.parametrize("session_gap", ["split", "span"])
def test_the_gap_of_a_day_is_kept_for_its_first_bars(session_gap):
    market = intraday(days=6, bars=40)
    spec = replace(SPEC, session_gap=session_gap, parameters={"gap_bars": 30})
    gap = rows_of(spec, market)["gap"]
    day = 4 * 40
    expected = np.log(market.open[day] / market.close[day - 1])
    returns = np.log(market.close / np.concatenate([[np.nan], market.close[:-1]]))
    if session_gap == "split":
        returns[::40] = np.log(market.close[::40] / market.open[::40])
    sigma = np.array([np.sqrt(np.mean(returns[t - 20 : t] ** 2)) for t in range(day, day + 40)])
    np.testing.assert_allclose(gap[day : day + 30], expected / sigma[:30])
    assert (gap[day + 30 : day + 40] == 0).all()


def test_minute_and_weekday_are_those_of_the_symbols_zone():
    rows = rows_of(SPEC, intraday())
    minute = 720 * (rows["minute_of_day"] + 1)
    np.testing.assert_allclose(minute[:40], 9 * 60 + 10 * (np.arange(40) + 1))
    np.testing.assert_allclose(minute[40:80], minute[:40])
    np.testing.assert_allclose(rows["weekday"][::40], (np.arange(8) % 7 - 3) / 3)
    midnight = 18_996 * DAY  # Tuesday 00:00 UTC ends Monday
    market = Series(np.full(3, midnight), *columns(3), session=np.arange(3))
    rows = rows_of(SPEC, market)
    assert rows["minute_of_day"][0] == 1.0
    assert rows["weekday"][0] == -1.0


def test_summer_time_moves_the_minute_with_the_wall_clock():
    close_time = np.array([19_792, 19_792 + 2]) * DAY + 20 * 60 * MINUTE  # 2024-03-10 begins summer time
    market = Series(close_time, *columns(2), session=close_time, time_zone=np.array(["America/New_York"]))
    local = market.local_time() - close_time
    assert (local // (60 * MINUTE)).tolist() == [-4, -4]
    before = replace(market, close_time=close_time - 2 * DAY)
    assert ((before.local_time() - before.close_time) // (60 * MINUTE)).tolist() == [-5, -4]


@settings(max_examples=40, deadline=None)
@given(st.integers(80, 299), st.integers(0, 4), st.floats(0.2, 5), st.sampled_from(["split", "span"]))
def test_changing_any_bar_after_t_never_changes_a_feature_at_t(t, column, factor, session_gap):
    market, spec = intraday(), replace(SPEC, session_gap=session_gap)
    name = ("open", "high", "low", "close", "volume")[column]
    later = getattr(market, name).copy()
    later[t + 1 :] *= factor
    changed = features(spec, replace(market, **{name: later}))
    np.testing.assert_array_equal(changed[: t + 1], features(spec, market)[: t + 1])


@pytest.mark.parametrize("session_gap", ["split", "span"])
@pytest.mark.parametrize("window_bars", [6, 17, 64])
def test_a_window_is_the_same_bits_alone_in_history_and_among_other_zones(session_gap, window_bars):
    spec = replace(SPEC, session_gap=session_gap, window_bars=window_bars)
    markets = [
        intraday(bars=70, zone=zone, seed=n) for n, zone in enumerate(("Asia/Seoul", "Australia/Sydney"))
    ]
    at = 69 + 70 * 5
    cut = [Series(*(getattr(each, name)[: at + 1] for name in Series.__slots__)) for each in markets]
    stacked = Series(*(np.stack([getattr(each, name) for each in cut]) for name in Series.__slots__))
    alone, usable = latest_windows(spec, stacked)
    assert usable.all()
    for row, market in enumerate(markets):
        windows, last = all_windows(spec, market)
        np.testing.assert_array_equal(alone[row], windows[last == at][0])
