"""Text of the skill of models, for several commands."""

from typing import TYPE_CHECKING, Protocol

from glasstape.skill import SENTENCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glasstape import IntervalEstimate, SkillSplit


def skill_text(skill: "SkillSplit") -> str:
    """Return the log loss saved in its parts, and what that shows."""
    saved, flat, direction = (
        f"{each.value:+.4f} ({each.low:+.4f} … {each.high:+.4f})"
        for each in (skill.log_loss_saved, skill.flat, skill.direction)
    )
    return (
        f"log loss saved against the prior: {saved} nats = FLAT {flat} + direction {direction}; "
        f"right when it moved: {interval_text(skill.moved_hit_rate)}; {SENTENCES[skill.verdict]}"
    )


class _Interval(Protocol):
    """A value with its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def ranking_text(rank_ic: "Mapping[str, _Interval]") -> str:
    """Return the Rank IC of a rank head beside that of its classes and of low volatility."""
    texts = {
        name: f"{each.value:+.3f} ({each.low:+.3f} … {each.high:+.3f})" for name, each in rank_ic.items()
    }
    return (
        f"Rank IC {texts['rank_head']}; without the rank head: classes {texts['classes']}, "
        f"low volatility {texts['low_volatility']}"
    )


def interval_text(estimate: "IntervalEstimate | None") -> str:
    """Return a share with its interval; "none" for one of no outcomes."""
    if estimate is None:
        return "none"
    return f"{estimate.value:.1%} ({estimate.low:.1%} … {estimate.high:.1%})"
