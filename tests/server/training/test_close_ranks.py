"""Ranks of a data set: of all symbols of a close, and of nothing later."""

import numpy as np
import polars as pl
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.leak_checks import future_perturbation
from glasstape_server.features.compute import values_to_rank
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.sets import SETS
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset
from glasstape_server.training.close_ranks import rank_rows
from glasstape_server.training.usable_bars import UsableBars
from made_up import columns
from scipy.stats import rankdata

SPEC = FeatureSpec(names=SETS["set2"])
RULE = LabelRule()
FIRST = 18_000 * DAY
NAMES = ("open", "high", "low", "close", "volume")


def frame(symbols=6, bars=140):
    """Symbols that begin and end at different closes, with bars missing in between."""
    random = np.random.default_rng(0)
    parts = []
    for number in range(symbols):
        kept = np.flatnonzero(random.random(bars) > 0.03 * number)[3 * number :]
        values = dict(zip(NAMES, columns(bars, number)[:, kept], strict=True))
        parts.append(
            pl.DataFrame({"symbol": [f"S{number}"] * len(kept), "close_time": FIRST + kept * DAY, **values})
        )
    return pl.concat(parts)


@pytest.fixture(scope="module")
def data():
    return dataset.build(frame(), "1d", SPEC, RULE)


def test_a_rank_is_that_among_all_symbols_of_the_close(data):
    of_close: dict[int, list[tuple[str, np.ndarray]]] = {}
    for symbol, series, _ in UsableBars.of(frame()).each_series("1d", "UTC"):
        for close, values in zip(series.close_time, values_to_rank(SPEC, series), strict=True):
            of_close.setdefault(int(close), []).append((symbol, values))
    windows = data.windows()[:, -1, list(SPEC.ranked_columns)]
    for number in range(0, len(data), 7):
        members = of_close[int(data.close_time[number])]
        place = [symbol for symbol, _ in members].index(data.symbols[data.symbol[number]])
        values = np.stack([values for _, values in members])
        for column in range(values.shape[1]):
            finite = np.isfinite(values[:, column])
            rank = rankdata(np.where(finite, values[:, column], np.inf))[place]
            expected = (2 * rank - 1) / finite.sum() - 1
            assert windows[number, column] == pytest.approx(expected, abs=1e-7)


def test_files_read_in_parts_and_ranks_in_parts_are_the_same_bits(data):
    whole = frame()
    parts = [whole.filter(pl.col("symbol") == f"S{number}") for number in range(6)]
    np.testing.assert_array_equal(dataset.build(parts, "1d", SPEC, RULE).windows(), data.windows())
    random = np.random.default_rng(1)
    times, rows = random.integers(0, 40, 500), random.normal(size=(500, 3)).astype(np.float32)
    at_once, in_parts = rows.copy(), rows.copy()
    rank_rows(at_once, times, (0, 2))
    rank_rows(in_parts, times, (0, 2), at_once=7)
    np.testing.assert_array_equal(at_once, in_parts)
    np.testing.assert_array_equal(at_once[:, 1], rows[:, 1])


def test_later_bars_and_symbols_that_end_change_no_earlier_window(data):
    for seed in range(5):
        check = future_perturbation(frame(), "1d", SPEC, RULE, "UTC", seed)
        assert not check.failed, check.text
        assert "earlier windows with ranks did not change" in check.text


def test_ranks_that_depend_on_later_bars_fail_the_leak_check(monkeypatch):
    def leaking(rows, close_time, columns):
        rank_rows(rows, close_time // (50 * DAY), columns)

    monkeypatch.setattr(dataset, "rank_rows", leaking)
    check = future_perturbation(frame(), "1d", SPEC, RULE, "UTC")
    assert check.failed
    assert check.text.endswith("with ranks changed")
