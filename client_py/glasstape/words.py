"""Explanations as sentences in English and Korean: templates filled with an explanation's data."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

from glasstape._map_words import checks_in_words as checks_in_words
from glasstape._map_words import quantity_in_words as quantity_in_words
from glasstape._map_words import trust_in_words as trust_in_words
from glasstape.errors import InvalidRequestError
from glasstape.types.enums import Baseline, Direction, Method, Quantity
from glasstape.types.explanation import BarValues, Counterfactual, Driver, Explanation

FEATURE_NAMES: dict[str, dict[str, str]] = {
    "en": {
        "open_return": "opening gap",
        "high_return": "high",
        "low_return": "low",
        "close_return": "price change",
        "relative_volume": "volume",
        "average_distance": "distance from its average",
        "rsi": "RSI",
        "macd_histogram": "MACD histogram",
        "log_volatility": "volatility",
        "volatility_ratio_short": "short against usual volatility",
        "volatility_ratio_long": "usual against long volatility",
        "range": "range",
        "gap": "gap of the day",
        "minute_of_day": "time of day",
        "weekday": "weekday",
        "return_rank": "rank of the price change",
        "volume_rank": "rank of the volume",
        "range_rank": "rank of the range",
        "volatility_rank": "rank of the volatility",
    },
    "ko": {
        "open_return": "시가 갭",
        "high_return": "고가",
        "low_return": "저가",
        "close_return": "등락",
        "relative_volume": "거래량",
        "average_distance": "이동평균 이격",
        "rsi": "RSI",
        "macd_histogram": "MACD 히스토그램",
        "log_volatility": "변동성",
        "volatility_ratio_short": "단기 변동성 비율",
        "volatility_ratio_long": "장기 변동성 비율",
        "range": "고저 폭",
        "gap": "당일 갭",
        "minute_of_day": "시각",
        "weekday": "요일",
        "return_rank": "등락 순위",
        "volume_rank": "거래량 순위",
        "range_rank": "고저 폭 순위",
        "volatility_rank": "변동성 순위",
    },
}
"""Common names of known features. Any other feature keeps its name in the model's spec."""
DIRECTIONS = {
    "en": {Direction.DOWN: "DOWN", Direction.FLAT: "FLAT", Direction.UP: "UP"},
    "ko": {Direction.DOWN: "하락", Direction.FLAT: "보합", Direction.UP: "상승"},
}
FIELDS = {
    "en": {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume"},
    "ko": {"open": "시가", "high": "고가", "low": "저가", "close": "종가", "volume": "거래량"},
}
_TEXT = {
    "en": {
        "cell": "{feature} at {bar}",
        "bar": "the bar of {bar}",
        "bars": "{bars} bars from {bar} on",
        "feature": "{feature}, all bars",
        "block": "{features} features over {bars} bars from {bar} on",
        "above": " was {z:.1f}σ above normal",
        "below": " was {z:.1f}σ below normal",
        "usual": " was normal",
        "for": "for {direction}",
        "against": "against {direction}",
        "share": "{what}: {share:.0%} of all weight, {side}",
        "measured": "{what}: replacing it changes the score by {amount:.3f}, {side}",
        "effect": "{what}: weight {amount:.3f}, {side}",
        "sensitivity": "{what}: a small increase counts {side}",
        "importance": "{what}: importance {amount:.3f}, an increase counts {side}",
        "relevance": "{what}: relevance {amount:.3f}",
        "change": "{what}: {amount:+.3f}",
        "flip": "would turn {direction} if the last bar had {edits} ({size:.2f}σ in total)",
        "edit": "{field} {after} instead of {before}",
        "hypothetical": (
            "hypothetical: would turn {direction} if the last bar's features moved by {size:.2f}σ (see the map)"
        ),
        "none": "found no edit of the last bar within 3σ that changes the direction",
        "none_to": "found no edit of the last bar within 3σ that changes the direction to {direction}",
        "since": "since the previous signal the window moved by one bar and the score by {amount:+.3f}:",
        "still": "still {direction} by {score:.3f}; the baseline window is {direction} by {baseline:.3f}",
    },
    "ko": {
        "cell": "{bar} {feature}",
        "bar": "{bar} 봉 전체",
        "bars": "{bar}부터 {bars}개 봉",
        "feature": "{feature}, 모든 봉",
        "block": "{bar}부터 {bars}개 봉의 특성 {features}개",
        "above": "{josa} 평소보다 {z:.1f}σ 높음",
        "below": "{josa} 평소보다 {z:.1f}σ 낮음",
        "usual": "{josa} 평소 수준",
        "for": "{direction}에 유리",
        "against": "{direction}에 불리",
        "share": "{what}: 전체 비중의 {share:.0%}, {side}",
        "measured": "{what}: 대체하면 점수가 {amount:.3f} 변함, {side}",
        "effect": "{what}: 가중치 {amount:.3f}, {side}",
        "sensitivity": "{what}: 조금 더 커지면 {side}",
        "importance": "{what}: 중요도 {amount:.3f}, 더 커지면 {side}",
        "relevance": "{what}: 관련도 {amount:.3f}",
        "change": "{what}: {amount:+.3f}",
        "flip": "마지막 봉이 {edits}였다면 {direction}(으)로 바뀜 (모두 {size:.2f}σ)",
        "edit": "{field} {before} 대신 {after}",
        "hypothetical": "가상: 마지막 봉의 특성이 {size:.2f}σ 움직이면 {direction}(으)로 바뀜 (지도 참조)",
        "none": "3σ 안에서 결과를 바꾸는 마지막 봉의 변화를 찾지 못함",
        "none_to": "3σ 안에서 {direction}(으)로 바꾸는 마지막 봉의 변화를 찾지 못함",
        "since": "직전 신호 이후 창이 한 봉 이동했고 점수는 {amount:+.3f} 변함:",
        "still": "그래도 {score:.3f} 차이로 {direction}: 기준 창은 {baseline:.3f} 차이로 {direction}",
    },
}
LANGUAGES = tuple(_TEXT)


def in_words(explanation: Explanation, language: str = "en", zone: tzinfo = UTC) -> list[str]:
    """Return one sentence for each driver, strongest first; for a counterfactual, one sentence.

    A sentence before or after them states the baseline of contributions where they would mislead without it:
    relative to the previous signal, or to a baseline window whose score is higher.

    Args:
        explanation: an explanation of any window length and features.
        language: "en" or "ko".
        zone: time zone for the names of bars, for example the exchange's.

    Raises:
        InvalidRequestError: no such language.
    """
    if language not in _TEXT:
        raise InvalidRequestError.field("language", f"must be one of {LANGUAGES}, is {language!r}")
    if explanation.counterfactual is not None:
        return [_counterfactual(explanation.counterfactual, explanation.foil, language)]
    if explanation.heatmap is None:
        return []
    shape = explanation.heatmap.values.shape
    label = bar_labels(explanation.bar_close_times, shape[0], zone)
    sentences = [
        _sentence(driver, explanation, language, label, (shape[0], shape[1]))
        for driver in explanation.drivers
    ]
    return _with_baseline(sentences, explanation, language)


def _with_baseline(sentences: list[str], explanation: Explanation, language: str) -> list[str]:
    """Add the sentence about the baseline, where contributions would mislead without it."""
    score, start, text = explanation.score, explanation.baseline_score, _TEXT[language]
    if score is None or start is None or not sentences:
        return sentences
    if explanation.baseline is Baseline.PREVIOUS:
        return [text["since"].format(amount=score - start), *sentences]
    if 0 < score < start and explanation.target is not None:
        direction = DIRECTIONS[language][explanation.target]
        return [*sentences, text["still"].format(direction=direction, score=score, baseline=start)]
    return sentences


def feature_name(name: str, language: str = "en") -> str:
    """Return the common name of a feature; a feature without one keeps its name."""
    return FEATURE_NAMES[language].get(name, name)


def bar_labels(times: Sequence[datetime], count: int, zone: tzinfo = UTC) -> Callable[[int], str]:
    """Return a function from a window's row to the bar's name: time of day, date, or both, as short as they differ.

    Args:
        times: close times of the bars, oldest first.
        count: bars in the window. If `times` has another length, bars are named t, t-1 … from the newest.
        zone: time zone of the names.
    """
    if len(times) != count:
        return lambda row: "t" if row == count - 1 else f"t-{count - 1 - row}"
    local = [moment.astimezone(zone) for moment in times]
    days = len({moment.date() for moment in local})
    forms = ["%H:%M"] if days == 1 else ["%m-%d %H:%M", "%Y-%m-%d %H:%M"]
    if days == count:
        forms = ["%m-%d", "%Y-%m-%d"]  # one bar a day: the time of day adds nothing
    form = next((form for form in forms if len({f"{moment:{form}}" for moment in local}) == count), forms[-1])
    return lambda row: f"{local[row]:{form}}"


def _sentence(
    driver: Driver,
    explanation: Explanation,
    language: str,
    label: Callable[[int], str],
    shape: tuple[int, int],
) -> str:
    text, quantity = _TEXT[language], _quantity(explanation)
    what = _what(driver, language, label, shape)
    if driver.z_score is not None:
        size = "usual" if abs(driver.z_score) < 0.05 else "above" if driver.z_score > 0 else "below"
        what += text[size].format(z=abs(driver.z_score), josa=_josa(what))
    direction = "?" if explanation.target is None else DIRECTIONS[language][explanation.target]
    side = text["for" if driver.attribution > 0 else "against"].format(direction=direction)
    form = "share" if driver.share is not None else _FORMS[quantity]
    if explanation.method is Method.OCCLUSION:
        form = "measured"  # other effects are computed, not measured
    amount = driver.attribution if quantity is Quantity.CHANGE else abs(driver.attribution)
    return text[form].format(what=what, share=driver.share, side=side, amount=amount)


def _josa(word: str) -> str:
    """Return the Korean subject particle: 이 after a final consonant, 가 after a vowel."""
    place = ord(word[-1]) - ord("가")
    return "이" if 0 <= place < 11_172 and place % 28 else "가"


_FORMS = {
    Quantity.SENSITIVITY: "sensitivity",
    Quantity.EFFECT: "effect",
    Quantity.CONTRIBUTION: "effect",
    Quantity.RELEVANCE: "relevance",
    Quantity.CHANGE: "change",
    Quantity.IMPORTANCE: "importance",
}


def _quantity(explanation: Explanation) -> Quantity:
    if explanation.heatmap is None or explanation.heatmap.quantity not in _FORMS:
        return Quantity.RELEVANCE
    return explanation.heatmap.quantity


def _what(driver: Driver, language: str, label: Callable[[int], str], shape: tuple[int, int]) -> str:
    text, (bars, features) = _TEXT[language], driver.span
    if (bars, features) == (1, 1):
        form = "cell"
    elif features == shape[1]:
        form = "bar" if bars == 1 else "bars"
    else:
        form = "feature" if features == 1 and bars == shape[0] else "block"
    return text[form].format(
        feature=feature_name(driver.feature, language),
        bar=label(driver.time_index),
        bars=bars,
        features=features,
    )


def _counterfactual(flip: Counterfactual, foil: Direction | None, language: str) -> str:
    text = _TEXT[language]
    if not flip.found or flip.direction is None:
        return text["none"] if foil is None else text["none_to"].format(direction=DIRECTIONS[language][foil])
    direction = DIRECTIONS[language][flip.direction]
    if flip.bar is None or flip.edited_bar is None:
        return text["hypothetical"].format(direction=direction, size=flip.size)
    edits = ", ".join(_edits(flip.bar, flip.edited_bar, language))
    return text["flip"].format(direction=direction, edits=edits, size=flip.size)


def _edits(before: BarValues, after: BarValues, language: str) -> list[str]:
    return [
        _TEXT[language]["edit"].format(
            field=name,
            before=_number(getattr(before, field)),
            after=_number(getattr(after, field)),
        )
        for field, name in FIELDS[language].items()
        if getattr(before, field) != getattr(after, field)
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.{max(6, len(str(int(value))) + 2)}g}"
