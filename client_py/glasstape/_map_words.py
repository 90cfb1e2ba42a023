"""Sentences about a map as a whole: what its numbers are, how far to trust it, and what its model failed."""

from typing import TypeVar

from glasstape.errors import InvalidRequestError
from glasstape.types.enums import Quantity, TrustLevel
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Model

_Text = TypeVar("_Text")
_QUANTITIES = {
    "en": {
        Quantity.IMPORTANCE: "importance: what the score depends on",
        Quantity.CONTRIBUTION: "contributions: add up to the score difference",
        Quantity.SENSITIVITY: "sensitivity: how a small increase changes the score",
        Quantity.EFFECT: "effects: what replacing a cell does to the score",
        Quantity.RELEVANCE: "relevance: importance without a sign",
        Quantity.CHANGE: "change: the edit that changes the class",
        Quantity.UNSPECIFIED: "map of an unknown quantity",
    },
    "ko": {
        Quantity.IMPORTANCE: "중요도: 점수를 좌우하는 것",
        Quantity.CONTRIBUTION: "기여도: 합하면 점수 차이가 됨",
        Quantity.SENSITIVITY: "민감도: 조금 커질 때 점수가 변하는 정도",
        Quantity.EFFECT: "효과: 칸을 대체할 때 점수가 변하는 정도",
        Quantity.RELEVANCE: "관련도: 부호가 없는 중요도",
        Quantity.CHANGE: "변화: 결과를 바꾸는 수정",
        Quantity.UNSPECIFIED: "종류를 알 수 없는 지도",
    },
}
_LEVELS = {
    "en": {
        TrustLevel.LOW: "low",
        TrustLevel.MEDIUM: "medium",
        TrustLevel.HIGH: "high",
        TrustLevel.UNSPECIFIED: "not rated",
    },
    "ko": {
        TrustLevel.LOW: "낮음",
        TrustLevel.MEDIUM: "보통",
        TrustLevel.HIGH: "높음",
        TrustLevel.UNSPECIFIED: "등급 없음",
    },
}
_CHECKS = {
    "en": {
        "skill": "skill",
        "completeness": "completeness",
        "parameter_randomization": "parameter randomization",
    },
    "ko": {
        "skill": "예측력",
        "completeness": "완전성",
        "parameter_randomization": "매개변수 무작위화",
    },
}
_TEXT = {
    "en": {
        "trust": "trust {value:.2f}: {level}",
        "calibration": "maps like this one marked the true cells with AUPRC {precision} on average ({maps:,} maps)",
        "meaning": "true to the model, not to the market",
        "check": "about the model {name}: {check} failed: {text}",
    },
    "ko": {
        "trust": "지도 신뢰도 {value:.2f}: {level}",
        "calibration": "이와 비슷한 지도는 실제 원인 칸을 평균 AUPRC {precision}로 찾아냄 (지도 {maps:,}개)",
        "meaning": "시장이 아니라 모델에 충실하다는 뜻",
        "check": "모델 {name}에 대해: {check} 검사 불합격: {text}",
    },
}


def quantity_in_words(quantity: Quantity, language: str = "en") -> str:
    """Return what the numbers of a map are: a noun, a colon, and its meaning.

    Args:
        quantity: of the map.
        language: "en" or "ko".

    Raises:
        InvalidRequestError: no such language.
    """
    return _of(language, _QUANTITIES)[quantity]


def trust_in_words(explanation: Explanation, language: str = "en") -> list[str]:
    """Return the trust in a map as number and word, then what maps of similar trust were worth.

    Trust tells how likely the map marks what the model used. It is true to the model, not to the market.

    Args:
        explanation: of quality FULL; of any other, the list is empty.
        language: "en" or "ko".

    Raises:
        InvalidRequestError: no such language.
    """
    text = _of(language, _TEXT)
    trust = explanation.quality.trust if explanation.quality is not None else None
    if trust is None:
        return []
    rating = text["trust"].format(value=trust.value, level=_LEVELS[language][trust.level])
    if not trust.maps:
        return [rating, text["meaning"]]
    precision = f"{trust.average_precision:.2f}".removeprefix("0")
    calibration = text["calibration"].format(precision=precision, maps=trust.maps)
    return [rating, f"{calibration}; {text['meaning']}"]


def checks_in_words(model: Model, language: str = "en") -> list[str]:
    """Return one sentence for each check that the model itself failed. They describe no single map.

    Args:
        model: with every field (`ModelView.FULL`).
        language: "en" or "ko"; figures of a check stay as the server words them.

    Raises:
        InvalidRequestError: no such language.
    """
    text, names = _of(language, _TEXT), _CHECKS[language]
    ref = f"{model.ref.name}@{model.ref.version}"
    return [
        text["check"].format(name=ref, check=names.get(check.name, check.name), text=check.text)
        for check in model.checks
        if not check.passed
    ]


def _of(language: str, texts: dict[str, _Text]) -> _Text:
    if language not in texts:
        raise InvalidRequestError.field("language", f"must be one of {tuple(texts)}, is {language!r}")
    return texts[language]
