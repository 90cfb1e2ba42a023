import numpy as np
import pytest
from glasstape_server.explain.method import Quantity
from glasstape_server.explain.verdict import MapFacts, Verdict, judge_fast, judge_fully
from glasstape_server.models.manifest import Check

FINE = MapFacts(np.ones((6, 8), "f4"), Quantity.CONTRIBUTION, 1.0, 0.001)
PASSED = Check(name="skill", value=3, limit=2, passed=True, text="skilled")
FAILED = Check(name="skill", value=1, limit=2, passed=False, text="no skill")


def full(facts=FINE, signs=0.9, correlation=0.8, deletion=(1.0, 1.0), usual=(0.1, 0.1), of_model=(PASSED,)):
    return judge_fully(facts, signs, correlation, np.array(deletion), np.array(usual), of_model)


@pytest.mark.parametrize("values", [np.zeros((6, 8)), np.full((6, 8), np.nan), np.full((6, 8), 9e-9)])
def test_a_zero_or_non_finite_map_is_degenerate_at_any_level(values):
    facts = MapFacts(values.astype("f4"), Quantity.SENSITIVITY)
    for verdict in (judge_fast(facts), full(facts)):
        assert verdict.verdict is Verdict.DEGENERATE
        assert verdict.reasons


def test_fast_judgment_is_at_most_caution_and_names_failed_checks():
    assert judge_fast(FINE).verdict is Verdict.CAUTION
    incomplete = judge_fast(MapFacts(FINE.values, Quantity.CONTRIBUTION, 1.0, 0.5))
    assert "completeness error 0.5, at most 0.01" in incomplete.reasons[0]


def test_full_judgment_is_reliable_if_every_check_passes():
    verdict = full()
    assert verdict.verdict is Verdict.RELIABLE
    assert verdict.reasons == ()
    assert [check.name for check in verdict.checks] == [
        "completeness", "sign_agreement", "occlusion_correlation", "deletion_mean", "deletion_resampled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signs": 0.79}, "sign"),
        ({"correlation": 0.49}, "occlusion"),
        ({"correlation": float("nan")}, "occlusion"),
        ({"deletion": (0.05, 1.0)}, "mean fill"),
        ({"deletion": (1.0, 0.05)}, "resampled fill"),
        ({"facts": MapFacts(FINE.values, Quantity.CONTRIBUTION, 0.001, 0.0006)}, "completeness"),
        ({"of_model": (PASSED, FAILED)}, "no skill"),
    ],
)
def test_a_failed_check_results_in_caution_with_its_reason(change, reason):
    verdict = full(**change)
    assert verdict.verdict is Verdict.CAUTION
    (only,) = verdict.reasons
    assert reason in only


def test_the_tolerance_of_small_differences_is_relative_to_a_twentieth():
    facts = MapFacts(FINE.values, Quantity.CONTRIBUTION, 0.001, 0.0004)
    assert full(facts).verdict is Verdict.RELIABLE
