import numpy as np
from glasstape_server.signals.burst_events import close_ranks


def test_places_count_from_the_highest_and_ties_share_the_best():
    scores = np.array([0.1, 0.5, 0.5, -0.2, 0.3])
    assert close_ranks(scores, np.ones(5, bool)).tolist() == [4, 1, 1, 5, 3]


def test_late_symbols_have_no_place_and_change_none():
    scores = np.array([0.1, 0.9, 0.5])
    assert close_ranks(scores, np.array([True, False, True])).tolist() == [2, 0, 1]
    assert close_ranks(scores, np.zeros(3, bool)).tolist() == [0, 0, 0]
