"""What a model is shown to know: whether the market moves, and which way. One rule for server, SDK and desktop."""

from enum import StrEnum


class SkillVerdict(StrEnum):
    """Skill that the 95 % intervals of a model's figures show."""

    UNSPECIFIED = "unspecified"
    """Not stated: there are too few outcomes for intervals, or no prior is known."""
    FLAT_AND_DIRECTION = "flat_and_direction"
    """Whether a bar moves, and which way."""
    FLAT = "flat"
    """Whether a bar moves; not which way."""
    DIRECTION = "direction"
    """Which way bars go; not whether they move."""
    NONE = "none"
    """Neither."""
    OPPOSITE = "opposite"
    """Calls that moved were wrong more often than right."""


SENTENCES = {
    SkillVerdict.UNSPECIFIED: "too few outcomes to tell what the model knows",
    SkillVerdict.FLAT_AND_DIRECTION: "knows when the market is quiet, and where it goes",
    SkillVerdict.FLAT: "knows when the market is quiet, not where it goes",
    SkillVerdict.DIRECTION: "knows where the market goes, not when it is quiet",
    SkillVerdict.NONE: "shows no skill: neither when the market is quiet nor where it goes",
    SkillVerdict.OPPOSITE: "is wrong about the direction more often than right",
}
"""Each verdict in English."""
KOREAN_SENTENCES = {
    SkillVerdict.UNSPECIFIED: "모델이 무엇을 아는지 판단하기에는 결과가 너무 적습니다",
    SkillVerdict.FLAT_AND_DIRECTION: "시장이 조용할 때와 움직이는 방향을 모두 압니다",
    SkillVerdict.FLAT: "시장이 조용할 때는 알지만, 어디로 움직일지는 모릅니다",
    SkillVerdict.DIRECTION: "시장이 어디로 움직일지는 알지만, 조용할 때는 모릅니다",
    SkillVerdict.NONE: "실력이 보이지 않습니다. 시장이 조용할 때도, 어디로 움직일지도 모릅니다",
    SkillVerdict.OPPOSITE: "방향을 맞힌 때보다 틀린 때가 더 많습니다",
}
"""Each verdict in Korean."""


def skill_verdict(flat_low: float, direction_low: float, moved_low: float, moved_high: float) -> SkillVerdict:
    """Return the verdict on a model by its 95 % intervals.

    Direction is known only if two intervals say so: constant calls of the more frequent direction are right more often
    than not, and save no log loss against the prior.

    Args:
        flat_low: lower end of the FLAT part of the log loss saved, nats.
        direction_low: lower end of its direction part, nats.
        moved_low: lower end of the hit rate of calls that moved, 0-1.
        moved_high: upper end of the same.
    """
    if moved_high < 0.5:
        return SkillVerdict.OPPOSITE
    if moved_low > 0.5 and direction_low > 0:
        return SkillVerdict.FLAT_AND_DIRECTION if flat_low > 0 else SkillVerdict.DIRECTION
    return SkillVerdict.FLAT if flat_low > 0 else SkillVerdict.NONE
