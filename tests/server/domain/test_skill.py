import numpy as np
import pytest
from glasstape.skill import KOREAN_SENTENCES, SENTENCES, SkillVerdict, skill_verdict
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.skill import call_record, clusters, log_loss_parts, saved_parts, skill_split
from hypothesis import given
from hypothesis import strategies as st

DOWN, FLAT, UP = (int(direction) for direction in Direction)
PRIOR = np.array([0.3, 0.4, 0.3])


def drawn(probabilities, random):
    return (probabilities.cumsum(axis=1)[:, :2] < random.random((len(probabilities), 1))).sum(axis=1)


def quiet_predictions(windows=6000, seed=0):
    """Probabilities that differ in FLAT alone, and classes drawn from them."""
    random = np.random.default_rng(seed)
    flat = random.uniform(0.05, 0.75, windows)
    probabilities = np.stack([(1 - flat) / 2, flat, (1 - flat) / 2], axis=1)
    return probabilities, drawn(probabilities, random)


@given(seed=st.integers(0, 10_000), sharpness=st.floats(0.01, 60.0), windows=st.integers(1, 300))
def test_the_parts_add_up_to_the_log_loss(seed, sharpness, windows):
    random = np.random.default_rng(seed)
    scaled = random.normal(0, sharpness, (windows, 3))
    probabilities = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = random.integers(0, 3, windows)
    realized = np.maximum(probabilities[np.arange(windows), labels], 1e-300)
    np.testing.assert_allclose(
        log_loss_parts(probabilities, labels).sum(axis=1), -np.log(realized), atol=1e-12
    )
    saved = np.log(realized) - np.log(PRIOR[labels])
    np.testing.assert_allclose(saved_parts(probabilities, labels, PRIOR).sum(axis=1), saved, atol=1e-12)
    assert abs(saved_parts(probabilities, labels, PRIOR).mean(axis=0).sum() - saved.mean()) < 1e-12


def test_impossible_predictions_have_finite_parts():
    probabilities = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    parts = log_loss_parts(probabilities, np.array([UP, FLAT, UP, FLAT]))
    np.testing.assert_allclose(parts.sum(axis=1), [-np.log(1e-300), 0, -np.log(1e-300), -np.log(1e-300)])
    assert np.isfinite(parts).all()


def test_the_parts_are_the_entropies_of_the_chain_rule():
    """H(class) = H(moves or not) + P(moves) H(direction | moves), for the class shares themselves."""
    labels = np.repeat([DOWN, FLAT, UP], [50, 20, 30])
    shares = np.tile([0.5, 0.2, 0.3], (100, 1))
    flat, direction = log_loss_parts(shares, labels).mean(axis=0)
    assert flat == pytest.approx(-0.2 * np.log(0.2) - 0.8 * np.log(0.8))
    assert direction == pytest.approx(0.8 * -(0.625 * np.log(0.625) + 0.375 * np.log(0.375)))


def test_a_model_that_knows_only_quiet_bars_has_no_direction_part_and_says_so():
    probabilities, labels = quiet_predictions()
    split = skill_split(probabilities, labels, PRIOR, np.arange(6000) // 60)
    assert abs(split.direction.value) < 1e-12
    assert split.flat.value == pytest.approx(split.log_loss_saved.value)
    assert split.flat.low > 0.05
    assert split.moved_hit_rate.low <= 0.5 <= split.moved_hit_rate.high
    assert split.verdict is SkillVerdict.FLAT
    assert SENTENCES[split.verdict] == "knows when the market is quiet, not where it goes"
    assert "모릅니다" in KOREAN_SENTENCES[split.verdict]


def test_a_model_that_knows_directions_is_told_apart():
    random = np.random.default_rng(1)
    up = random.uniform(0.1, 0.5, 6000)
    probabilities = np.stack([0.6 - up, np.full(6000, 0.4), up], axis=1)
    called = np.where(up > 0.3, UP, DOWN)
    labels = drawn(probabilities, random)
    split = skill_split(probabilities, labels, PRIOR, np.arange(6000) // 60)
    assert split.direction.low > 0.02
    assert abs(split.flat.value) < 0.01
    assert call_record(called, labels, np.arange(6000) // 60).moved_hit_rate.low > 0.5
    assert skill_split(probabilities, labels, PRIOR, np.zeros(6000, np.int64)) is None


def test_the_base_of_a_call_is_half_of_hits_and_opposites():
    predicted = np.array([UP, UP, UP, UP, DOWN, DOWN, FLAT, FLAT])
    labels = np.array([UP, UP, DOWN, FLAT, DOWN, FLAT, FLAT, UP])
    record = call_record(predicted, labels, np.arange(8))
    assert (record.calls, record.hits, record.opposites) == (6, 3, 1)
    assert record.base_rate == pytest.approx(4 / 12)
    assert record.moved_hit_rate.value == pytest.approx(3 / 4)
    assert record.edge.value == pytest.approx((3 - 1) / 6)
    assert record.edge.low <= record.edge.value <= record.edge.high


def test_calls_that_avoid_quiet_bars_have_no_edge_by_that():
    """The hit rate is above the share of the class in all bars, and the opposite came as often."""
    probabilities, labels = quiet_predictions(20_000)
    predicted = np.where(probabilities[:, FLAT] < 0.33, UP, FLAT)
    record = call_record(predicted, labels, np.arange(20_000) // 100)
    assert record.hit_rate.low > (labels == UP).mean() + 0.02
    assert record.edge.low < 0 < record.edge.high
    assert record.hit_rate.low < record.base_rate < record.hit_rate.high


@pytest.mark.parametrize("labels", [[UP, UP, UP], [DOWN, DOWN, DOWN]])
def test_a_few_calls_that_all_came_out_alike_leave_an_interval(labels):
    record = call_record(np.full(3, UP), np.array(labels), np.arange(3))
    assert abs(record.edge.value) == 1
    assert record.edge.high - record.edge.low > 0.5


def test_no_calls_are_no_error():
    record = call_record(np.full(4, FLAT), np.array([UP, DOWN, FLAT, UP]), np.zeros(4, np.int64))
    assert (record.calls, record.base_rate, record.edge.value) == (0, 0, 0)
    quiet = call_record(np.full(4, UP), np.full(4, FLAT), np.arange(4))
    assert (quiet.moved_hit_rate.low, quiet.moved_hit_rate.high, quiet.edge.value) == (0, 1, 0)


def test_clusters_are_sessions_unless_labels_overlap():
    session = np.repeat(np.arange(100, 140), 3)
    assert np.unique(clusters(session, session)).size == 40
    assert np.unique(clusters(session, session + 2)).size == 40  # from the next close to the one after
    five_days = clusters(session, session + 6)
    assert np.unique(five_days).size == 3
    assert (np.diff(five_days) >= 0).all()
    late = np.where(np.arange(120) % 30 == 0, session + 60, session + 2)  # of halted symbols
    assert np.unique(clusters(session, late)).size == 40
    assert clusters(session[:0], session[:0]).size == 0


@pytest.mark.parametrize(
    ("flat_low", "direction_low", "low", "high", "verdict"),
    [
        (0.01, 0.001, 0.48, 0.52, SkillVerdict.FLAT),
        (0.01, 0.001, 0.50, 0.56, SkillVerdict.FLAT),
        (0.01, -0.001, 0.51, 0.55, SkillVerdict.FLAT),
        (-0.01, 0.001, 0.48, 0.52, SkillVerdict.NONE),
        (0.0, 0.0, 0.51, 0.55, SkillVerdict.NONE),
        (0.01, 0.001, 0.51, 0.55, SkillVerdict.FLAT_AND_DIRECTION),
        (-0.01, 0.001, 0.51, 0.55, SkillVerdict.DIRECTION),
        (0.01, 0.001, 0.41, 0.49, SkillVerdict.OPPOSITE),
    ],
)
def test_the_verdict_is_that_of_the_intervals(flat_low, direction_low, low, high, verdict):
    assert skill_verdict(flat_low, direction_low, low, high) is verdict
    assert SENTENCES[verdict]
    assert KOREAN_SENTENCES[verdict]


def test_constant_calls_of_the_more_frequent_direction_know_no_direction():
    random = np.random.default_rng(2)
    shares = np.array([0.45, 0.25, 0.30])
    probabilities = np.tile(shares, (6000, 1))
    split = skill_split(probabilities, drawn(probabilities, random), shares, np.arange(6000) // 60)
    assert split.moved_hit_rate.low > 0.55
    assert split.direction.value == 0
    assert split.verdict is SkillVerdict.NONE
