import numpy as np
import pytest
from glasstape_server.domain.book_rule import BookRule

ALL = np.ones(5, dtype=bool)
SCORES = np.array([0.1, 0.5, -0.3, 0.4, -0.6])
NOTHING = np.zeros(5)


def test_the_best_symbols_have_equal_weights():
    np.testing.assert_array_equal(BookRule(top=2).weights(SCORES, ALL, NOTHING), [0, 0.5, 0, 0.5, 0])


def test_fewer_signals_than_places_leave_cash():
    scores = np.array([0.1, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(BookRule(top=2).weights(scores, ALL, NOTHING), [0.5, 0, 0, 0, 0])
    high = BookRule(top=2, threshold=0.45)
    np.testing.assert_array_equal(high.weights(SCORES, ALL, NOTHING), [0, 0.5, 0, 0, 0])


def test_a_threshold_holds_all_above_it_up_to_the_largest_weight():
    rule = BookRule(threshold=0.1, max_weight=0.4)
    np.testing.assert_allclose(rule.weights(SCORES, ALL, NOTHING), [1 / 3, 1 / 3, 0, 1 / 3, 0])
    rule = BookRule(threshold=0.4, max_weight=0.4)
    np.testing.assert_array_equal(rule.weights(SCORES, ALL, NOTHING), [0, 0.4, 0, 0.4, 0])


def test_a_short_book_holds_each_symbol_on_one_side():
    rule = BookRule(top=2, short=True)
    np.testing.assert_array_equal(rule.weights(SCORES, ALL, NOTHING), [0, 0.25, -0.25, 0.25, -0.25])
    rule = BookRule(top=3, short=True)
    weights = rule.weights(SCORES, ALL, NOTHING)
    np.testing.assert_allclose(weights, [1 / 6, 1 / 6, -1 / 6, 1 / 6, -1 / 6])
    rule = BookRule(threshold=0.5, short=True, max_weight=1)
    np.testing.assert_array_equal(rule.weights(SCORES, ALL, NOTHING), [0, 0.5, 0, 0, -0.5])


def test_held_symbols_stay_while_they_rank_high_enough():
    held = np.array([1.0, 0, 0, 0, 1.0])
    np.testing.assert_array_equal(BookRule(top=2, keep=3).weights(SCORES, ALL, held), [0.5, 0.5, 0, 0, 0])
    np.testing.assert_array_equal(BookRule(top=2).weights(SCORES, ALL, held), [0, 0.5, 0, 0.5, 0])


def test_symbols_without_trades_are_left_alone():
    traded = np.array([True, False, True, True, False])
    held = np.array([0, 1.0, 0, 0, 0])
    np.testing.assert_array_equal(BookRule(top=2).weights(SCORES, traded, held), [0, np.nan, 0, 0.5, np.nan])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "top, threshold: one of them must be given"),
        ({"top": 0}, "top: must be 1 or more, is 0"),
        ({"top": 3, "keep": 2}, r"keep: must be at least top \(3\), is 2"),
        ({"threshold": 0.1, "keep": 2}, r"keep: must be at least top \(None\), is 2"),
        ({"top": 3, "every": 0}, "every: must be 1 or more, is 0"),
        ({"threshold": 0.1, "max_weight": 1.5}, "max_weight: must be above 0 and at most 1, is 1.5"),
        ({"threshold": float("nan")}, "threshold: must be a number, is NaN"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(options, text):
    with pytest.raises(ValueError, match=text):
        BookRule(**options)
