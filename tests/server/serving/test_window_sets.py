"""Windows of intraday bars whose windows and labels stay within one session."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.calls import Call
from glasstape_server.domain.times import SECOND
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import future_paths, realized
from glasstape_server.features.windows import all_windows
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore
from glasstape_server.models.model import Model
from glasstape_server.serving.window_sets import WindowFilter, batches, draw, resolve_period
from made_up import columns

BARS_A_DAY, DAYS = 12, 15
KEY = ("KRX", "1h")


@pytest.fixture(scope="module")
def model(bundled):
    """The bundled network on hourly bars that do not span sessions."""
    spec = {**bundled.manifest.feature_spec, "session_gap": "split"}
    manifest = bundled.manifest.model_copy(update={"interval": "1h", "feature_spec": spec})
    return Model(manifest, bundled.scorer.network, bundled.statistics)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Sessions in Seoul that pass midnight in UTC."""
    opened = BarStore(tmp_path_factory.mktemp("hours") / "bars.sqlite", "1h")
    first = datetime(2026, 1, 5, 22, tzinfo=UTC)
    closes = [
        int((first + timedelta(days=day, hours=hour)).timestamp() * SECOND)
        for day in range(DAYS)
        for hour in range(BARS_A_DAY)
    ]
    rows = columns(len(closes), 4).T.tolist()
    bars = [Bar(*KEY, close, *row) for close, row in zip(closes, rows, strict=True)]
    seoul = Instrument(symbol=KEY[0], time_zone="Asia/Seoul")
    opened.publish([Batch(bars, instruments=[seoul], mode=BatchMode.BACKFILL)])
    yield opened
    opened.close()


def wanted(store, model):
    """Close -> label of every window, computed from the whole series at once."""
    stacked = store.stack([KEY], [store.until(KEY, 1 << 60, BARS_A_DAY * DAYS)])
    series = type(stacked)(*(getattr(stacked, name)[0] for name in stacked.__slots__))
    windows, last = all_windows(model.spec, series)
    paths = future_paths(model.spec, model.label_rule, series)[last]
    known = np.isfinite(paths).all(axis=1)
    threshold = model.label_rule.threshold(volatility(model.spec, series)[last])
    labels = np.full(len(last), -1)
    labels[known] = realized(model.label_rule.kind, paths[known], threshold[known])[0]
    return dict(zip(series.close_time[last].tolist(), zip(windows, labels, strict=True), strict=True))


def test_windows_and_labels_stay_within_a_session(store, model):
    period = resolve_period(store, model, WindowFilter(start=0), "filter")
    candidates = draw(store.path, period, 10_000, 0, Call())
    assert candidates.bars == BARS_A_DAY * DAYS
    (batch,) = batches(store.path, model, candidates, period, Call())
    look_back = sorted(close for _, close in candidates.ends)[model.spec.min_bars - 1]
    expected = {close: pair for close, pair in wanted(store, model).items() if close >= look_back}
    assert sorted(batch.close_time.tolist()) == sorted(expected)
    for close, window, label in zip(batch.close_time.tolist(), batch.windows, batch.labels, strict=True):
        np.testing.assert_allclose(window, expected[close][0], atol=1e-5)
        assert label == expected[close][1]
    assert (batch.labels == -1).any()  # the last windows of a session have no horizon
    assert (batch.labels >= 0).any()


def test_the_places_are_those_of_the_candidates(store, model):
    period = resolve_period(store, model, WindowFilter(start=0), "filter")
    candidates = draw(store.path, period, 50, 3, Call())
    assert len(candidates.ends) == 50
    assert len(set(candidates.ends)) == 50
    (batch,) = batches(store.path, model, candidates, period, Call())
    assert [candidates.ends[place][1] for place in batch.place] == batch.close_time.tolist()
    assert batch.candidates == 50
