import asyncio
import time

import numpy as np
import pytest
from glasstape_server.access.quotas import Limits
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import DeadlineExceeded, InvalidArgument, NotFound, ResourceExhausted
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.times import DAY
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import ExplainWork, ForecastWork
from glasstape_server.explain.importance import parts_of
from glasstape_server.explain.method import PASSES_AT_ONCE, MethodName, Request
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.features.compute import volatility
from glasstape_server.features.labels import future_paths, realized
from glasstape_server.features.windows import all_windows
from glasstape_server.serving.importance import ImportanceRequest
from glasstape_server.serving.window_sets import WindowFilter
from importance_parts import DAYS, FIRST_DAY, SYMBOLS

LAST = (FIRST_DAY + DAYS - 1) * DAY
EVER = WindowFilter(start=0)


def asked(wanted=EVER, reference=None, *, most=5000, method="GRADIENT", permutation=False, seed=0):
    request = Request(MethodName[method], ScoreSpec(), seed=seed)
    return ImportanceRequest(wanted, reference, request, most, permutation=permutation)


def summarize(parts, request, call=None, limits=None):
    return asyncio.run(parts.service(limits).summarize(request, call or Call()))


def series_of(parts, symbol):
    store = parts.ingest.store
    return store.stack([(symbol, "1d")], [store.until((symbol, "1d"), LAST, DAYS)])


def all_of(parts, symbol):
    """Every window of a symbol with close and label, computed from the whole series at once."""
    model, series = parts.model, series_of(parts, symbol)
    one = type(series)(*(getattr(series, name)[0] for name in series.__slots__))
    windows, last = all_windows(model.spec, one)
    paths = future_paths(model.spec, model.label_rule, one)[last]
    threshold = model.label_rule.threshold(volatility(model.spec, one)[last])
    known = np.isfinite(paths).all(axis=1)
    labels = np.full(len(last), -1)
    labels[known] = realized(model.label_rule.kind, paths[known], threshold[known])[0]
    return windows, one.close_time[last], labels


def test_the_windows_are_those_of_the_features_with_their_outcomes(parts):
    chosen = summarize(parts, asked()).current.set
    wanted = {
        (symbol, close): (window, label)
        for symbol in SYMBOLS
        for window, close, label in zip(*all_of(parts, symbol), strict=True)
    }
    # One look-back of bars is missing at the start of each series.
    keys = list(zip(chosen.symbols, chosen.close_time.tolist(), strict=True))
    assert len(keys) == len(set(keys)) == len(SYMBOLS) * (DAYS - parts.model.spec.min_bars + 1)
    for key, window, label in zip(keys, chosen.windows, chosen.labels, strict=True):
        np.testing.assert_allclose(window, wanted[key][0], atol=1e-5)
        assert label == wanted[key][1]
    assert list(chosen.close_time) == sorted(chosen.close_time)


def test_importance_is_the_mean_of_the_maps_per_deviation(parts):
    report = summarize(parts, asked())
    chosen = report.current.set
    result = ExplainWork(parts.model, report.request.method_request).run((chosen.windows,))
    maps = np.abs(result[1] * parts.model.statistics.deviation.numpy()).mean(0)
    cells = report.current.importance.importance.value[14:]
    np.testing.assert_allclose(cells, maps.ravel(), rtol=1e-4)


def test_what_was_left_out_is_counted(parts):
    for wanted in (EVER, WindowFilter(start=0, directions=frozenset({Direction.UP}))):
        chosen = summarize(parts, asked(wanted)).current.set
        assert chosen.bars == chosen.examined == len(SYMBOLS) * DAYS
        assert chosen.examined == len(chosen.windows) + chosen.unusable + chosen.other_calls
        assert chosen.unusable == len(SYMBOLS) * (parts.model.spec.min_bars - 1)


@pytest.mark.parametrize("direction", list(Direction))
def test_only_windows_of_the_wanted_prediction_are_kept(parts, direction):
    every = summarize(parts, asked()).current.set
    chosen = summarize(parts, asked(WindowFilter(start=0, directions=frozenset({direction})))).current.set
    assert (chosen.predicted == direction).all()
    assert len(chosen.windows) == np.count_nonzero(every.predicted == direction)
    assert chosen.other_calls == len(every.windows) - len(chosen.windows)


def test_windows_for_which_the_model_abstains_can_be_left_out(parts):
    every = summarize(parts, asked()).current.set
    kept = summarize(parts, asked(WindowFilter(start=0, exclude_abstained=True))).current.set
    assert 0 < len(kept.windows) < len(every.windows)


def test_a_sample_is_drawn_from_all_symbols_by_its_seed(parts):
    first, again, other = (summarize(parts, asked(most=90, seed=seed)).current.set for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.windows, again.windows)
    assert set(first.symbols) == set(SYMBOLS)
    assert first.close_time.tolist() != other.close_time.tolist()
    assert first.examined == 90
    by_call = summarize(parts, asked(WindowFilter(start=0, directions=frozenset({Direction.UP})), most=20))
    assert len(by_call.current.set.windows) == 20


def test_the_default_period_is_the_last_thirty_days(parts):
    chosen = summarize(parts, asked(WindowFilter())).current.set
    assert (chosen.period.first, chosen.period.last) == (LAST - 30 * DAY, LAST)
    assert chosen.bars == len(SYMBOLS) * 31


def test_the_validation_period_is_that_of_the_model(parts):
    period = summarize(parts, asked(WindowFilter(validation=True))).current.set.period
    validation = parts.model.manifest.data.validation
    assert period.first == validation.first_close.timestamp() * 1e6
    assert period.last == validation.last_close.timestamp() * 1e6


def test_windows_that_the_model_has_seen_are_counted(parts):
    report = summarize(parts, asked())
    seen_until = parts.model.manifest.data.validation.last_close.timestamp() * 1e6
    assert report.current.seen == np.count_nonzero(report.current.set.close_time <= seen_until)


def test_permutation_needs_outcomes(parts):
    newest = WindowFilter(start=LAST)  # no bar follows
    report = summarize(parts, asked(newest, permutation=True))
    assert (report.current.set.labels == -1).all()
    assert report.current.permutation is None
    every = summarize(parts, asked(permutation=True)).current.permutation
    assert every is not None
    assert len(every.value) == len(parts_of((6, 8)))
    assert np.isfinite(every.low).all()
    assert summarize(parts, asked()).current.permutation is None


def test_drift_compares_two_periods(parts):
    half = (FIRST_DAY + DAYS // 2) * DAY
    report = summarize(parts, asked(WindowFilter(start=half + 1), WindowFilter(start=0, end=half)))
    difference = report.current.importance.share.value - report.reference.importance.share.value
    np.testing.assert_allclose(report.drift.change.value, difference)


def test_a_reference_ends_before_the_windows_unless_it_states_its_end(parts):
    report = summarize(parts, asked(WindowFilter(days=10), WindowFilter(days=20)))
    current, reference = report.current.set.period, report.reference.set.period
    assert current.first == LAST - 10 * DAY
    assert (reference.first, reference.last) == (current.first - 1 - 20 * DAY, current.first - 1)


def test_bars_without_enough_history_end_no_window(parts):
    chosen = summarize(parts, asked(WindowFilter(start=0, end=(FIRST_DAY + 9) * DAY))).current.set
    assert (chosen.bars, chosen.examined, chosen.unusable, len(chosen.windows)) == (30, 30, 30, 0)


def test_an_empty_set_has_no_importance(parts):
    report = summarize(parts, asked(WindowFilter(start=1, end=2), WindowFilter(start=3, end=LAST)))
    assert report.current.importance is None
    assert report.reference.importance is not None
    assert report.drift is None


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        (asked(WindowFilter(symbols=("ZZZ",))), NotFound, "filter.symbols: no 1d bars of 'ZZZ'"),
        (asked(WindowFilter(start=9, end=8)), InvalidArgument, "filter.start_time: must not be after"),
        (asked(EVER, WindowFilter(end=LAST)), InvalidArgument, "reference: must not overlap"),
        (asked(EVER, WindowFilter()), InvalidArgument, "reference: must not overlap"),
    ],
)
def test_a_filter_that_breaks_a_rule_is_named(parts, request_, error, text):
    with pytest.raises(error, match=text):
        summarize(parts, request_)


def test_all_work_is_of_the_lowest_lane_and_in_jobs_of_one_batch(parts):
    """Jobs of other lanes come between them: the feed waits for one batch at most."""
    summarize(parts, asked(method="SMOOTHGRAD", permutation=True))
    assert {lane for lane, _, _ in parts.engine.jobs} == {Lane.BULK}
    assert {type(work) for _, work, _ in parts.engine.jobs} == {ForecastWork, ExplainWork}
    assert max(rows * work.passes for _, work, rows in parts.engine.jobs) <= PASSES_AT_ONCE


def test_a_call_past_its_deadline_ends(parts):
    with pytest.raises(DeadlineExceeded):
        summarize(parts, asked(), Call(deadline=time.monotonic() - 1))
    assert not parts.engine.jobs


def test_a_canceled_call_runs_no_further_job(parts):
    async def cancel():
        call = Call()
        task = asyncio.create_task(parts.service().summarize(asked(permutation=True), call))
        while not parts.engine.jobs:  # noqa: ASYNC110  # has no event
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        count = len(parts.engine.jobs)
        await asyncio.sleep(0.05)
        return call.canceled, len(parts.engine.jobs) - count

    assert asyncio.run(cancel()) == (True, 0)


def test_passes_are_charged_to_the_caller_once(parts):
    """A call may overdraw a quota; the next one is rejected before anything is computed."""

    async def twice():
        service = parts.service(Limits(explain_passes_per_minute=60))
        half = (FIRST_DAY + DAYS // 2) * DAY
        request = asked(WindowFilter(start=half + 1), WindowFilter(end=half, days=30), permutation=True)
        await service.summarize(request, Call())
        count = len(parts.engine.jobs)
        with pytest.raises(ResourceExhausted, match="60 explanation passes per minute"):
            await service.summarize(asked(WindowFilter(start=LAST)), Call())
        return len(parts.engine.jobs) - count

    assert asyncio.run(twice()) == 0
