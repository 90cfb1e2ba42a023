from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.trust import MapEvidence
from glasstape_server.explain.verdict import MapFacts, Verdict, judge_fast, judge_fully

FINE = MapFacts(np.ones((6, 8), "f4"), Quantity.CONTRIBUTION, 1.0, 0.001)
GOOD = MapEvidence(
    deletion=np.array([1.0, 1.0]),
    random_deletion=np.array([0.1, 0.1]),
    sign_agreement=0.98,
    concentration=0.25,
    probability=0.95,
    native_cells=48,
    cells=48,
)
NOISE = replace(
    GOOD, probability=0.34, random_deletion=np.array([0.3, 0.3]), sign_agreement=0.8, concentration=0.03
)


def full(facts=FINE, **change):
    return judge_fully(
        facts,
        replace(GOOD, **{name: np.array(v) if isinstance(v, tuple) else v for name, v in change.items()}),
    )


@pytest.mark.parametrize("values", [np.zeros((6, 8)), np.full((6, 8), np.nan), np.full((6, 8), 9e-9)])
def test_a_zero_or_non_finite_map_is_degenerate_at_any_level(values):
    facts = MapFacts(values.astype("f4"), Quantity.SENSITIVITY)
    for verdict in (judge_fast(facts), full(facts)):
        assert verdict.verdict is Verdict.DEGENERATE
        assert verdict.reasons
        assert verdict.trust is None


def test_fast_judgment_is_at_most_caution_and_names_failed_checks():
    assert judge_fast(FINE).verdict is Verdict.CAUTION
    assert judge_fast(FINE).trust is None
    incomplete = judge_fast(MapFacts(FINE.values, Quantity.CONTRIBUTION, 1.0, 0.5))
    assert "completeness error 0.5, at most 0.01" in incomplete.reasons[0]


def test_full_judgment_is_reliable_if_every_check_passes():
    verdict = full()
    assert verdict.verdict is Verdict.RELIABLE
    assert verdict.reasons == ()
    assert [check.name for check in verdict.checks] == [
        "completeness", "sign_agreement", "deletion_mean", "deletion_resampled", "trust",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sign_agreement": 0.69}, "sign"),
        ({"sign_agreement": float("nan")}, "sign"),
        ({"deletion": (0.19, 1.0)}, "mean fill"),
        ({"deletion": (1.0, 0.19)}, "resampled fill"),
        ({"facts": MapFacts(FINE.values, Quantity.CONTRIBUTION, 0.001, 0.0006)}, "completeness"),
    ],
)
def test_a_failed_check_results_in_caution_with_its_reason(change, reason):
    verdict = full(**change)
    assert verdict.verdict is Verdict.CAUTION
    assert reason in verdict.reasons[0]


def test_a_ratio_of_two_is_reliable_and_said_with_both_changes():
    verdict = full(deletion=(0.201, 0.9))
    assert verdict.verdict is Verdict.RELIABLE
    text = next(check.text for check in verdict.checks if check.name == "deletion_mean")
    assert "by 0.201, random cells by 0.1: 2.01 times as much, at least 2" in text


def test_a_map_of_a_prediction_that_is_hardly_likelier_than_chance_is_not_reliable():
    verdict = judge_fully(FINE, NOISE)
    assert verdict.verdict is Verdict.CAUTION
    assert any("trust" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("native", "words"),
    [((6, 1), "at bar resolution"), ((1, 8), "at feature resolution"), ((3, 4), "3 x 4 blocks")],
)
def test_a_coarse_map_is_reliable_at_its_resolution_only(native, words):
    verdict = full(replace(FINE, native_shape=native))
    assert verdict.verdict is Verdict.CAUTION
    (reason,) = verdict.reasons
    assert words in reason
    assert full(replace(FINE, native_shape=(6, 8))).verdict is Verdict.RELIABLE


def test_a_coarse_map_that_fails_a_check_is_reliable_at_no_resolution():
    verdict = full(replace(FINE, native_shape=(6, 1)), deletion=(0.1, 0.1))
    assert not any("resolution" in reason for reason in verdict.reasons)


def test_the_tolerance_of_small_differences_is_relative_to_a_twentieth():
    facts = MapFacts(FINE.values, Quantity.CONTRIBUTION, 0.001, 0.0004)
    assert full(facts).verdict is Verdict.RELIABLE
