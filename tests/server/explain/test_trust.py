from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.explain.trust import MapEvidence, TrustLevel, shipped, trust_in
from hypothesis import given
from hypothesis import strategies as st

EVIDENCE = MapEvidence(np.array([1.0, 2.0]), np.array([0.25, 0.25]), 0.9, 0.1, 0.8, 48, 48)


def test_the_worse_of_two_fills_counts():
    assert EVIDENCE.ratios.tolist() == [4.0, 8.0]
    better = replace(EVIDENCE, deletion=np.array([1.0, 20.0]))
    assert trust_in(better).value == trust_in(EVIDENCE).value
    worse = replace(EVIDENCE, deletion=np.array([1.0, 0.5]))
    assert trust_in(worse).value < trust_in(EVIDENCE).value


def test_ratios_of_nothing_are_bounded():
    assert replace(EVIDENCE, random_deletion=np.zeros(2)).ratios.tolist() == [100.0, 100.0]
    assert replace(EVIDENCE, deletion=np.zeros(2), random_deletion=np.zeros(2)).ratios.tolist() == [0.0, 0.0]


@given(
    change=st.floats(0, 10), random=st.floats(0, 10), sign=st.floats(0, 1),
    concentration=st.floats(1 / 1536, 1), probability=st.floats(1 / 3, 1),
)  # fmt: skip
def test_trust_is_a_share_with_a_word_and_maps_behind_it(change, random, sign, concentration, probability):
    trust = trust_in(
        MapEvidence(np.full(2, change), np.full(2, random), sign, concentration, probability, 6, 48)
    )
    assert 0 <= trust.value <= 1
    assert trust.maps >= 30
    assert 0 <= trust.average_precision <= 1
    word = (
        TrustLevel.LOW if trust.value < 0.4 else TrustLevel.HIGH if trust.value >= 0.7 else TrustLevel.MEDIUM
    )
    assert trust.level is word


def test_more_evidence_is_more_trust():
    stronger = (
        {"deletion": 2 * EVIDENCE.deletion},
        {"random_deletion": EVIDENCE.random_deletion / 2},
        {"sign_agreement": 1.0},
        {"probability": 0.95},
        {"concentration": 0.2},
    )
    for change in stronger:
        assert trust_in(replace(EVIDENCE, **change)).value > trust_in(EVIDENCE).value, change


def test_bins_ascend_in_precision_and_cover_every_trust():
    bins = shipped().bins
    assert [part.below for part in bins] == sorted(part.below for part in bins)
    assert bins[-1].below > 1
    precisions = [part.average_precision for part in bins]
    assert precisions == pytest.approx(sorted(precisions), abs=0.05)
