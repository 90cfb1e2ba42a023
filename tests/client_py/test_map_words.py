"""Sentences about a map as a whole and about its model."""

from dataclasses import replace

import pytest
from glasstape import (
    CheckResult,
    InvalidRequestError,
    Quality,
    QualityLevel,
    Quantity,
    Trust,
    TrustLevel,
    Verdict,
    checks_in_words,
    quantity_in_words,
    trust_in_words,
)
from glasstape.testing import MODEL, FakeServer
from glasstape.words import LANGUAGES


def quality(trust, level=QualityLevel.FULL):
    return Quality(level=level, verdict=Verdict.CAUTION, reasons=(), trust=trust)


@pytest.fixture
def explained(client_of_fake):
    """An explanation of quality FULL with a trust that a test chooses."""

    def explain(trust, level="full"):
        server, client = client_of_fake
        server.judge = lambda symbol, window: quality(trust)
        return client.explain(symbols=["A"], quality=level)[0]

    return explain


@pytest.fixture
def client_of_fake():
    from glasstape import Client

    with FakeServer() as server, Client(server.address) as client:
        yield server, client


HIGH = Trust(value=0.82, level=TrustLevel.HIGH, average_precision=0.811, maps=1234)


def test_trust_is_a_number_a_word_and_what_such_maps_were_worth(explained):
    assert trust_in_words(explained(HIGH)) == [
        "trust 0.82: high",
        "maps like this one marked the true cells with AUPRC .81 on average (1,234 maps); true to the model, not to "
        "the market",
    ]
    rating, calibration = trust_in_words(explained(HIGH), "ko")
    assert rating == "지도 신뢰도 0.82: 높음"
    assert ".81" in calibration
    assert "1,234" in calibration
    assert "시장이 아니라 모델" in calibration


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("level", list(TrustLevel))
def test_every_level_has_a_word(explained, language, level):
    words = {trust_in_words(explained(replace(HIGH, level=other)), language)[0] for other in TrustLevel}
    assert len(words) == len(TrustLevel)
    assert trust_in_words(explained(replace(HIGH, level=level)), language)[0] in words


def test_a_perfect_precision_keeps_its_one(explained):
    assert "AUPRC 1.00" in trust_in_words(explained(replace(HIGH, average_precision=1.0)))[1]


def test_without_benchmark_maps_no_precision_is_claimed(explained):
    said = trust_in_words(explained(replace(HIGH, maps=0, average_precision=0.0)))
    assert said == ["trust 0.82: high", "true to the model, not to the market"]


def test_a_map_without_trust_has_no_sentence_about_it(explained):
    assert trust_in_words(explained(None)) == []
    unchecked = explained(HIGH, level="fast")
    assert unchecked.quality is None
    assert trust_in_words(unchecked) == []


def test_trust_arrives_as_the_server_sent_it(explained):
    trust = explained(HIGH).quality.trust
    assert (trust.level, trust.maps) == (TrustLevel.HIGH, 1234)
    assert (trust.value, trust.average_precision) == pytest.approx((0.82, 0.811))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_quantity_is_named_for_what_it_is(language):
    names = [quantity_in_words(quantity, language) for quantity in Quantity]
    assert len(set(names)) == len(names)


def test_importance_and_contributions_are_told_apart():
    assert quantity_in_words(Quantity.IMPORTANCE) == "importance: what the score depends on"
    assert quantity_in_words(Quantity.CONTRIBUTION) == "contributions: add up to the score difference"


def test_checks_that_the_model_failed_are_said_of_the_model():
    checks = tuple(
        CheckResult(name=name, value=1.0, limit=2.0, passed=passed, text=f"{name} is 1, at least 2")
        for name, passed in (("skill", False), ("completeness", True), ("new_check", False))
    )
    said = checks_in_words(replace(MODEL, checks=checks))
    assert said == [
        "about the model fake@1: skill failed: skill is 1, at least 2",
        "about the model fake@1: new_check failed: new_check is 1, at least 2",
    ]
    assert checks_in_words(replace(MODEL, checks=checks), "ko")[0].startswith("모델 fake@1에 대해: 예측력")
    assert checks_in_words(MODEL) == []


def test_an_unknown_language_is_rejected(explained):
    for words in (
        lambda: quantity_in_words(Quantity.CHANGE, "fr"),
        lambda: trust_in_words(explained(HIGH), "fr"),
        lambda: checks_in_words(MODEL, "fr"),
    ):
        with pytest.raises(InvalidRequestError, match="language: must be one of"):
            words()
