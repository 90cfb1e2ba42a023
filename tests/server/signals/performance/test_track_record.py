import math

import numpy as np
import pytest
from glasstape_server.domain.signals import Confidence, Direction, ModelRef, Outcome
from glasstape_server.domain.times import DAY
from glasstape_server.signals.performance.track_record import Group, Scored, track_record

UP, FLAT, DOWN = Direction.UP, Direction.FLAT, Direction.DOWN


def scored(
    predicted, realized, returned=0.0, *, symbol="A", model="m", day=1, winning=0.6, abstained=False, late=0
):
    rest = (1 - winning) / 2
    values = [rest] * 3
    values[predicted] = winning
    ref = ModelRef(model, "1", model * 64, "0" * 64)
    return Scored(
        symbol,
        ref,
        Outcome(1, day * DAY, predicted, realized, returned, Confidence(*values, abstained, 0.0)),
        (day + late) * DAY,
    )


def test_flat_calls_cannot_inflate_the_record():
    record = track_record(
        [scored(FLAT, FLAT)] * 50 + [scored(UP, UP, 0.02), scored(UP, DOWN, -0.01), scored(DOWN, UP, 0.01)]
    )
    of = {r.predicted: r for r in record.records}
    counts = {d: (r.calls.calls, r.calls.hits, r.calls.opposites) for d, r in of.items()}
    assert counts == {UP: (2, 1, 1), DOWN: (1, 0, 1), None: (3, 1, 2)}
    assert of[UP].calls.base_rate == pytest.approx(1 / 2)
    assert of[None].calls.edge.value == pytest.approx((1 - 2) / 3)
    assert of[None].calls.moved_hit_rate.value == pytest.approx(1 / 3)
    assert of[None].returns.mean == pytest.approx((0.02 - 0.01 - 0.01) / 3)
    assert record.outcomes == 53


def test_an_empty_record_is_no_error():
    record = track_record([])
    assert [r.calls.calls for r in record.records] == [0, 0, 0]
    assert (record.outcomes, record.reliability) == (0, ())
    assert track_record([], [Group.MODEL]).records == ()


def test_costs_are_paid_on_the_way_in_and_out():
    (up, *_) = track_record([scored(UP, UP, 0.02)], cost=0.001).records
    assert up.returns.mean + up.costs == pytest.approx(0.02 + 2 * math.log(0.999))


def test_records_are_split_by_model_symbol_and_confidence_band():
    items = [
        scored(UP, UP, symbol="A", winning=0.41),
        scored(UP, DOWN, symbol="A", winning=0.44),
        scored(UP, UP, symbol="B", winning=0.46),
        scored(UP, UP, symbol="B", winning=0.46, model="n"),
    ]
    by_symbol = {r.symbol: r for r in track_record(items, [Group.SYMBOL]).records if r.predicted is UP}
    assert [by_symbol[name].calls.calls for name in "AB"] == [2, 2]
    assert [by_symbol[name].calls.hits for name in "AB"] == [1, 2]
    both = {
        (r.model, r.band): r.calls.calls
        for r in track_record(items, [Group.MODEL, Group.CONFIDENCE]).records
        if r.predicted is UP
    }
    assert both == {("m@1", (0.4, 0.45)): 2, ("m@1", (0.45, 0.5)): 1, ("n@1", (0.45, 0.5)): 1}


def test_symbols_that_moved_together_count_for_less():
    apart = [scored(UP, UP if n % 2 else DOWN, day=n) for n in range(100)]
    together = [scored(UP, UP if n % 2 else DOWN, day=n, symbol=str(s)) for n in range(10) for s in range(10)]
    widths = []
    for items in (apart, together):
        up = track_record(items).records[0]
        assert up.calls.hit_rate.value == 0.5
        widths.append(up.calls.hit_rate.high - up.calls.hit_rate.low)
    assert widths[1] > 2.5 * widths[0]
    assert [track_record(items).records[0].sessions for items in (apart, together)] == [100, 10]


def test_the_reliability_says_what_was_stated_and_what_came():
    items = [scored(UP, UP, winning=0.8)] * 8 + [scored(UP, DOWN, winning=0.8)] * 2
    track = track_record(items)
    winner = [p for p in track.reliability if p.direction is None]
    assert sum(p.count for p in winner) == 10
    assert sum(p.realized * p.count for p in winner) == pytest.approx(8)
    assert {p.direction for p in track.reliability} == {None, *Direction}
    assert track.log_loss == pytest.approx(-(8 * math.log(0.8) + 2 * math.log(0.1)) / 10)


def test_kept_calls_are_counted():
    items = [scored(UP, UP)] * 3 + [scored(UP, DOWN, abstained=True)] * 5 + [scored(FLAT, UP)] * 2
    assert [r.kept for r in track_record(items).records] == [3, 0, 3]


def test_overlapping_labels_count_for_less():
    """Five bars ahead, the outcomes of neighboring sessions share four bars."""
    widths = []
    for late in (2, 6):
        items = [scored(UP, UP if n // 15 % 2 else DOWN, day=n, late=late) for n in range(150)]
        edge = track_record(items).records[0].calls.edge
        widths.append(edge.high - edge.low)
    assert widths[1] > 2 * widths[0]


def test_skill_is_measured_against_the_class_shares_of_each_model():
    random = np.random.default_rng(0)
    items = [
        scored(FLAT, FLAT if random.random() < 0.6 else UP if random.random() < 0.5 else DOWN, day=day)
        for day in range(40)
        for _ in range(20)
    ]
    shares = {"m" * 64: (0.3, 0.4, 0.3)}
    record = track_record(items, prior_of=shares.get)
    gain = record.skill
    assert gain.flat.low > 0
    assert gain.flat.value + gain.direction.value == pytest.approx(gain.log_loss_saved.value, abs=1e-12)
    known = record.log_loss + gain.log_loss_saved.value
    assert known == pytest.approx(
        -np.log([shares["m" * 64][item.outcome.realized] for item in items]).mean(), abs=1e-9
    )
    assert {r.predicted: r.skill for r in record.records} == {UP: None, DOWN: None, None: gain}
    assert track_record(items).skill is None, "no prior is known"
    other = [scored(UP, DOWN, model="n", day=day) for day in range(3)]
    assert track_record(items + other, prior_of=shares.get).skill.flat.value == pytest.approx(gain.flat.value)
    assert track_record(items[:20], prior_of=shares.get).skill is None, "one session has no interval"
