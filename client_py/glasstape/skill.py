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


class EdgeVerdict(StrEnum):
    """What the intervals of a paper book show of its returns after costs."""

    UNSPECIFIED = "unspecified"
    """Not stated: there are too few days for intervals."""
    EDGE = "edge"
    """A gain, more than that of the universe, which the market's movement does not explain."""
    ALPHA = "alpha"
    """A gain that the market's movement does not explain; not more than that of the universe."""
    MARKET = "market"
    """More than the universe; no gain of its own."""
    NONE = "none"
    """Neither more nor less than the universe."""
    LOSS = "loss"
    """Less than the universe."""


EDGE_SENTENCES = {
    EdgeVerdict.UNSPECIFIED: "too few days to tell what the book earns",
    EdgeVerdict.EDGE: "earned more than the equal-weighted universe after costs, beyond chance and beyond the market",
    EdgeVerdict.ALPHA: "earned after costs what the market does not explain, but is not shown to earn more than the "
    "equal-weighted universe",
    EdgeVerdict.MARKET: "did better than the equal-weighted universe, but a gain of its own is not shown",
    EdgeVerdict.NONE: "shows no edge: after costs, chance explains its difference to the equal-weighted universe",
    EdgeVerdict.LOSS: "earned less than the equal-weighted universe after costs, beyond chance",
}
"""Each verdict in English."""
KOREAN_EDGE_SENTENCES = {
    EdgeVerdict.UNSPECIFIED: "모의 투자가 버는지 판단하기에는 날이 너무 적습니다",
    EdgeVerdict.EDGE: "비용을 빼고도 동일 비중 시장보다 더 벌었고, 우연이나 시장 움직임으로는 설명되지 않습니다",
    EdgeVerdict.ALPHA: "비용을 빼고도 시장으로 설명되지 않는 수익을 냈지만, "
    "동일 비중 시장보다 나았다고는 볼 수 없습니다",
    EdgeVerdict.MARKET: "동일 비중 시장보다 나았지만, 스스로 번 수익은 보이지 않습니다",
    EdgeVerdict.NONE: "우위가 보이지 않습니다. 비용을 빼면 동일 비중 시장과의 차이는 우연으로 설명됩니다",
    EdgeVerdict.LOSS: "비용을 빼면 동일 비중 시장보다 덜 벌었고, 우연으로는 설명되지 않습니다",
}
"""Each verdict in Korean."""


def edge_verdict(mean_low: float, alpha_low: float, excess_low: float, excess_high: float) -> EdgeVerdict:
    """Return the verdict on a paper book by the intervals of its mean daily returns after costs.

    Args:
        mean_low: lower end of the mean return.
        alpha_low: lower end of the mean return that the benchmark's movement does not explain.
        excess_low: lower end of the mean return less that of the benchmark.
        excess_high: upper end of the same.
    """
    gained = mean_low > 0 and alpha_low > 0
    if excess_low > 0:
        return EdgeVerdict.EDGE if gained else EdgeVerdict.MARKET
    if gained:
        return EdgeVerdict.ALPHA
    return EdgeVerdict.LOSS if excess_high < 0 else EdgeVerdict.NONE
