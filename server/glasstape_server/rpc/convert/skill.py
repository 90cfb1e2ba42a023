"""Skill of models for the wire."""

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.skill import SkillSplit
from glasstape_server.domain.statistics import IntervalEstimate


def interval_estimate_to(estimate: IntervalEstimate) -> pb.IntervalEstimate:
    """Return the message of a figure with its interval."""
    return pb.IntervalEstimate(value=estimate.value, low=estimate.low, high=estimate.high)


def skill_split_to(split: SkillSplit | None) -> pb.SkillSplit | None:
    """Return the message of a split of the log loss saved; None for none."""
    if split is None:
        return None
    return pb.SkillSplit(
        log_loss_saved=interval_estimate_to(split.log_loss_saved),
        flat=interval_estimate_to(split.flat),
        direction=interval_estimate_to(split.direction),
        moved_hit_rate=interval_estimate_to(split.moved_hit_rate),
        verdict=pb.SkillVerdict.Value(f"SKILL_VERDICT_{split.verdict.name}"),
    )
