from dataclasses import replace

import pytest
from glasstape import Direction
from glasstape.testing import MODEL, make_confidence
from glasstape_qt.state import track_record
from stores import DOWN, FLAT, START, UP, outcome


def test_hit_rates_are_compared_with_random_calls_and_flats_are_not_scored():
    outcomes = [outcome("A", n, n, value=UP, hit=n < 6, days=n) for n in range(10)]
    outcomes += [outcome("A", n, n, value=DOWN, hit=True, moved=-0.02, days=n) for n in range(10, 14)]
    outcomes += [outcome("A", n, n, value=FLAT, hit=True, moved=0.0) for n in range(14, 20)]
    up, down, both = track_record.hit_rates(outcomes)
    assert (up.count, up.hits, up.rate) == (10, 6, 0.6)
    assert up.base_rate == pytest.approx(6 / 20)
    assert (down.count, down.rate) == (4, 1.0)
    assert (both.count, both.hits) == (14, 10)
    assert up.interval == pytest.approx((0.3127, 0.8318), abs=0.02)  # Wilson, 6 of 10
    assert up.significance == 1


def test_too_few_calls_prove_nothing():
    outcomes = [outcome("A", 1, 1, value=UP, hit=True), outcome("A", 2, 2, value=DOWN, hit=True)]
    assert track_record.hit_rates(outcomes)[2].significance == 0
    assert track_record.hit_rates([])[2].interval == (0.0, 1.0)
    assert track_record.reliability_bins([]) == []


def test_calls_of_one_session_count_less():
    apart = [outcome("A", n, n, value=UP, hit=n % 2 == 0, days=n) for n in range(40)]
    together = [outcome(str(n), n, n, value=UP, hit=n < 20, days=n // 20) for n in range(40)]
    (low, high), (wide_low, wide_high) = (
        track_record.hit_rates(events)[0].interval for events in (apart, together)
    )
    assert wide_high - wide_low > 2 * (high - low)


def test_outcomes_are_chosen_by_symbol_and_model_and_never_from_training():
    models = {MODEL.ref.digest: replace(MODEL, seen_until=START)}
    other = replace(MODEL.ref, name="other", digest="1" * 64)
    outcomes = [outcome("A", 1, 1, days=0), outcome("A", 2, 2, days=1), outcome("B", 3, 3, days=2)]
    outcomes.append(replace(outcome("A", 4, 4, days=-9), model=other))
    assert [event.sequence for event in track_record.select_outcomes(outcomes, models)] == [2, 3, 4]
    assert [event.sequence for event in track_record.select_outcomes(outcomes, models, symbol="A")] == [2, 4]
    assert [event.sequence for event in track_record.select_outcomes(outcomes, models, model="fake@1")] == [
        2,
        3,
    ]
    assert track_record.select_outcomes(outcomes, models, model="none@1") == []


def test_bins_hold_equal_counts_and_what_came_true():
    outcomes = []
    for n in range(100):
        up = 0.34 + n / 500
        value = make_confidence((1 - up) * 0.5, (1 - up) * 0.5, up)
        outcomes.append(outcome("A", n, n, value=value, hit=n >= 50))
    bins = track_record.reliability_bins(outcomes, Direction.UP)
    assert [part.count for part in bins] == [10] * 10
    assert [part.frequency for part in bins] == [0.0] * 5 + [1.0] * 5
    assert bins[0].confidence < bins[-1].confidence
    assert all(low <= part.frequency <= high for part in bins for low, high in [part.interval])
