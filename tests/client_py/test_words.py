from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from glasstape import (
    BarValues,
    Baseline,
    Confidence,
    Counterfactual,
    Direction,
    Driver,
    Explanation,
    Heatmap,
    InvalidRequestError,
    Method,
    Prediction,
    Quantity,
    Score,
    in_words,
)
from glasstape.words import LANGUAGES, bar_labels

SEOUL = ZoneInfo("Asia/Seoul")
CLOSE = datetime(2026, 11, 20, 5, 55, tzinfo=UTC)  # 14:55 in Seoul
TIMES = tuple(CLOSE + timedelta(minutes=5 * (row - 4)) for row in range(6))
VOLUME = Driver(
    feature="relative_volume", feature_index=4, time_index=4, span=(1, 1), value=1.9, z_score=2.83,
    attribution=0.9, share=0.412, bar_close_time=CLOSE,
)  # fmt: skip


def explanation(*drivers, quantity=Quantity.CONTRIBUTION, native=(6, 8), flip=None):
    confidence = Confidence(direction=Direction.UP, down=0.2, flat=0.3, up=0.5, abstained=False, novelty=0.1)
    values = np.zeros((6, 8), np.float32)
    heatmap = Heatmap(values=values, quantity=quantity, native_shape=native, upsampled=native != (6, 8))
    return Explanation(
        prediction=Prediction(model=None, confidence=confidence, error=None), method=Method.INTEGRATED_GRADIENTS,
        score_kind=Score.MARGIN, baseline=None, heatmap=heatmap, score=1.0, baseline_score=0.0,
        completeness_error=0.0, samples=32, target=Direction.UP, foil=Direction.FLAT, quality=None,
        drivers=drivers, bar_close_times=TIMES, counterfactual=flip,
    )  # fmt: skip


def test_a_driver_in_english_is_the_sentence_of_the_design():
    (said,) = in_words(explanation(VOLUME), zone=SEOUL)
    assert said == "volume at 14:55 was 2.8σ above normal: 41% of all weight, for UP"


def test_a_driver_in_korean():
    (said,) = in_words(explanation(VOLUME), "ko", SEOUL)
    assert said == "14:55 거래량이 평소보다 2.8σ 높음: 전체 비중의 41%, 상승에 유리"


def test_against_below_and_usual():
    against = replace(VOLUME, attribution=-0.2, z_score=-1.0)
    usual = replace(VOLUME, z_score=0.01, feature="my_feature")
    said = in_words(explanation(against, usual), zone=SEOUL)
    assert said[0].startswith("volume at 14:55 was 1.0σ below normal")
    assert said[0].endswith("against UP")
    assert said[1].startswith("my_feature at 14:55 was normal")


@pytest.mark.parametrize(
    ("span", "feature", "native", "expected"),
    [
        ((1, 8), "", (6, 1), "the bar of 14:55: 41% of all weight, for UP"),
        ((6, 1), "rsi", (1, 8), "RSI, all bars: 41% of all weight, for UP"),
        ((2, 2), "", (3, 4), "2 features over 2 bars from 14:55 on: 41% of all weight, for UP"),
    ],
)
def test_coarse_drivers_claim_no_more_than_they_know(span, feature, native, expected):
    driver = replace(VOLUME, span=span, feature=feature, value=None, z_score=None)
    assert in_words(explanation(driver, native=native), zone=SEOUL) == [expected]


@pytest.mark.parametrize("quantity", list(Quantity))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_quantity_has_words_and_only_contributions_have_shares(quantity, language):
    driver = replace(VOLUME, share=0.4 if quantity is Quantity.CONTRIBUTION else None)
    (said,) = in_words(explanation(driver, quantity=quantity), language)
    assert ("40%" in said) is (quantity is Quantity.CONTRIBUTION)


def test_a_counterfactual_speaks_of_prices_and_volume():
    before = BarValues(open=100.0, high=101.5, low=99.0, close=100.5, volume=1_234_567)
    after = BarValues(open=100.0, high=101.5, low=99.0, close=99.25, volume=2_000_000)
    flip = Counterfactual(
        found=True, hypothetical=False, direction=Direction.FLAT, size=0.512, bar=before, edited_bar=after,
        confidence=None,
    )  # fmt: skip
    (said,) = in_words(explanation(flip=flip))
    assert said == (
        "would turn FLAT if the last bar had close 99.25 instead of 100.5, volume 2,000,000 instead of 1,234,567 "
        "(0.51σ in total)"
    )
    assert "종가 100.5 대신 99.25" in in_words(explanation(flip=flip), "ko")[0]
    assert "hypothetical" in in_words(explanation(flip=replace(flip, bar=None, edited_bar=None)))[0]
    assert "found no edit" in in_words(explanation(flip=replace(flip, found=False)))[0]


def test_an_unknown_language_is_refused():
    with pytest.raises(InvalidRequestError, match="language"):
        in_words(explanation(VOLUME), "fr")


def test_bars_are_named_as_short_as_they_differ():
    days = [CLOSE + timedelta(days=row) for row in range(3)]
    assert [bar_labels(days, 3)(row) for row in range(3)] == ["11-20", "11-21", "11-22"]
    mixed = [CLOSE, CLOSE + timedelta(hours=1), CLOSE + timedelta(days=1)]
    assert bar_labels(mixed, 3)(2) == "11-21 05:55"
    assert [bar_labels([], 3)(row) for row in range(3)] == ["t-2", "t-1", "t"]


def test_native_maps_of_contributions_are_sums_and_others_means():
    values = np.repeat(np.arange(6, dtype=np.float32)[:, None], 8, axis=1)
    for quantity, factor in ((Quantity.CONTRIBUTION, 8), (Quantity.RELEVANCE, 1)):
        heatmap = Heatmap(values=values, quantity=quantity, native_shape=(6, 1), upsampled=True)
        np.testing.assert_allclose(heatmap.native[:, 0], factor * np.arange(6))


def test_full_color_is_the_largest_finite_native_cell_and_never_noise():
    values = np.zeros((6, 8), np.float32)
    values[0] = 0.5
    bars = Heatmap(values=values, quantity=Quantity.CONTRIBUTION, native_shape=(6, 1), upsampled=True)
    assert bars.full_color == 4.0
    for noise in (np.full((6, 8), 1e-9, np.float32), np.full((6, 8), np.nan, np.float32)):
        nothing = Heatmap(values=noise, quantity=Quantity.EFFECT, native_shape=(6, 8), upsampled=False)
        assert nothing.full_color == 1.0


def test_edges_are_those_of_nearest_neighbour_upsampling():
    values = np.zeros((7, 5), np.float32)
    odd = Heatmap(values=values, quantity=Quantity.RELEVANCE, native_shape=(3, 2), upsampled=True)
    assert odd.edges == ([0, 3, 5, 7], [0, 3, 5])


def test_a_change_since_the_signal_before_is_said_as_such():
    since = replace(explanation(VOLUME), baseline=Baseline.PREVIOUS)
    first, second = in_words(since, zone=SEOUL)
    assert first == "since the previous signal the window moved by one bar and the score by +1.000:"
    assert second.endswith("for UP")


def test_reasons_that_all_speak_against_the_winner_are_put_in_their_place():
    against = replace(explanation(replace(VOLUME, attribution=-0.2)), score=0.035, baseline_score=0.093)
    assert in_words(against, zone=SEOUL)[-1] == "still UP by 0.035; the baseline window is UP by 0.093"


def test_what_was_sought_and_not_found_is_said():
    flip = Counterfactual(
        found=False, hypothetical=False, direction=None, size=0.0, bar=None, edited_bar=None, confidence=None
    )
    asked = replace(explanation(flip=flip), foil=Direction.DOWN)
    assert in_words(asked)[0].endswith("that changes the direction to DOWN")
