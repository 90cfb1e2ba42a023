"""Text of the skill of models, for several commands."""

from typing import TYPE_CHECKING

from glasstape.skill import SENTENCES

if TYPE_CHECKING:
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


def interval_text(estimate: "IntervalEstimate | None") -> str:
    """Return a share with its interval; "none" for one of no outcomes."""
    if estimate is None:
        return "none"
    return f"{estimate.value:.1%} ({estimate.low:.1%} … {estimate.high:.1%})"
