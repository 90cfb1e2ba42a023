"""Training sees exactly what serving would."""

import numpy as np
import polars as pl
import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore
from glasstape_server.training import dataset
from glasstape_server.training.usable_bars import UsableBars
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import columns

NAMES = ("open", "high", "low", "close", "volume")
FIRST = 18_000 * DAY
BARS = 110
RULE = LabelRule(horizon_bars=2)


def frame(bars=BARS, seed=0, step=DAY):
    values = dict(zip(NAMES, columns(bars, seed), strict=True))
    return pl.DataFrame({"symbol": ["A"] * bars, "close_time": FIRST + np.arange(bars) * step, **values})


def changed(rows, number, **values):
    return rows.with_columns(
        **{
            name: pl.when(pl.int_range(pl.len()) == number).then(pl.lit(value)).otherwise(pl.col(name))
            for name, value in values.items()
        }
    )


DEFECTS = {
    "halted": {"open": 0.0, "high": 0.0, "low": 0.0, "volume": 0.0},
    "no-trade": {"open": 100.0, "high": 100.0, "low": 100.0, "close": 100.0, "volume": 0.0},
    "price": {"close": -37.63},
    "band": {"low": 1e6},
    "volume": {"volume": float("nan")},
}


def served(store, spec, close_time):
    """The window and the labels' path that a server has at one bar, or None."""
    key = ("A", "1d")
    bars = store.until(key, close_time, spec.min_bars)
    if bars.shape[1] < spec.min_bars or bars[0, -1] != close_time:
        return None
    windows, usable = latest_windows(spec, store.stack([key], [bars]))
    future = store.since(key, close_time, RULE.bars_ahead + 1)[4]
    if not usable[0] or len(future) <= RULE.bars_ahead:
        return None
    return windows[0], np.log(future[int(RULE.entry) + RULE.horizon_bars]) - np.log(future[int(RULE.entry)])


@settings(max_examples=25)
@given(
    defects=st.lists(st.tuples(st.integers(0, BARS - 1), st.sampled_from([*DEFECTS, "missing", "repeat"]))),
    seed=st.integers(0, 99),
)
def test_windows_and_labels_equal_those_of_a_server_with_the_same_rows(tmp_path_factory, defects, seed):
    rows = frame(seed=seed)
    for number, kind in defects:
        if kind in DEFECTS:
            rows = changed(rows, number, **DEFECTS[kind])
    gone = [number for number, kind in defects if kind == "missing"]
    again = [number for number, kind in defects if kind == "repeat"]
    rows = pl.concat([rows, rows[again], changed(rows, 0, volume=7.0)[:1]])
    rows = rows.filter(~pl.Series(np.isin(np.arange(rows.height), gone)))
    store = BarStore(tmp_path_factory.mktemp("store") / "bars.sqlite")
    bars = [Bar(row[0], "1d", *row[1:]) for row in rows.sort("close_time", maintain_order=True).iter_rows()]
    store.publish([Batch(bars, mode=BatchMode.BACKFILL)])
    spec = FeatureSpec()
    expected = {
        time: served(store, spec, time) for time in (FIRST + n * DAY for n in range(BARS)) if time not in gone
    }
    store.close()
    expected = {time: pair for time, pair in expected.items() if pair is not None}
    if not expected:
        with pytest.raises(ValueError, match="no symbol has 77 bars"):
            dataset.build(rows, "1d", spec, RULE)
        return
    data = dataset.build(rows, "1d", spec, RULE)
    np.testing.assert_array_equal(data.close_time, list(expected))
    np.testing.assert_array_equal(data.windows(), [window for window, _ in expected.values()])
    np.testing.assert_array_equal(data.outcomes(RULE)[1], [path for _, path in expected.values()])
    count = data.window_count
    assert (count.bars, count.windows) == (rows.height, len(data))
    assert count.windows + count.lost.total() == count.bars


def test_windows_across_rows_that_are_left_out_are_counted():
    rows = changed(changed(frame(), 90, **DEFECTS["halted"]), 95, close=-1.0)
    count = dataset.build(rows, "1d", FeatureSpec(), RULE).window_count
    # The windows of bars 91-97 span bar 90, those of bars 96-101 bar 95.
    assert count.across_gaps == 10
    assert count.to_text() == (
        "windows: 32 of 110 bars; lost to: look-back 73, horizon 3, price 1, halted 1; "
        "10 windows span bars that were left out"
    )


def test_no_window_of_a_clean_series_is_marked():
    assert dataset.build(frame(), "1d", FeatureSpec(), RULE).window_count.across_gaps == 0


def test_sessions_shorter_than_window_and_horizon_are_named():
    spec = FeatureSpec(session_gap="split")
    rows = frame(780, step=INTERVALS["30m"])
    day, within = pl.int_range(pl.len()) // 13, pl.int_range(pl.len()) % 13
    rows = rows.with_columns(close_time=FIRST + day * DAY + (within + 20) * INTERVALS["30m"])
    with pytest.raises(ValueError, match="requires 17 bars of one session") as caught:
        dataset.build(rows, "30m", spec, LabelRule(horizon_bars=10))
    assert "the longest session has 13" in str(caught.value)
    assert "windows: 0 of 780 bars; lost to: look-back 73, split 270, horizon 437" in str(caught.value)
    some = dataset.build(rows, "30m", spec, LabelRule(horizon_bars=6)).window_count
    assert some.to_text() == "windows: 54 of 780 bars; lost to: look-back 73, split 270, horizon 383"


def test_accepted_kinds_leave_bars_out():
    rows = pl.concat([frame(), frame(seed=1).with_columns(symbol=pl.lit("B"))])
    prices = ("open", "high", "low", "close")
    late = (pl.int_range(pl.len()) >= 60) & (pl.col("symbol") == "A")
    rows = rows.with_columns(*(pl.when(late).then(pl.col(n) / 5).otherwise(pl.col(n)) for n in prices))
    spike = pl.int_range(pl.len()) == BARS + 40
    rows = rows.with_columns(*(pl.when(spike).then(pl.col(n) * 100).otherwise(pl.col(n)) for n in prices))
    bars = UsableBars.of(rows, {"split", "scale", "future"}, latest=FIRST + 105 * DAY)
    assert dict(bars.left_out) == {"split": 60, "scale": 1, "future": 8}
    series = {symbol: (len(each), gaps.sum()) for symbol, each, gaps in bars.each_series("1d", "UTC")}
    assert series == {"A": (46, 0), "B": (105, 1)}
    assert UsableBars.of(rows).left_out.total() == 0
