"""Rich text of the track record: calls beside their base, and what the outcomes show the models to know."""

from glasstape import IntervalEstimate, SkillSplit, TrackRecord, TrackRecords

from glasstape_qt.i18n import tr


def track_record_html(track: TrackRecords | None) -> str:
    """Return the track record as a table, with the skill of the outcomes and a sentence on it.

    A server that does not count opposites states a base rate of another meaning, which is not shown.
    """
    if track is None or not track.outcomes:
        return f"<p>{tr('trust.no_outcomes')}</p>"
    cells = "".join(_row(record) for record in track.records)
    heads = "".join(
        f"<th align='{'left' if not n else 'right'}' style='white-space:nowrap'>{_title(name)}&nbsp;</th>"
        for n, name in enumerate(("called", "n", "kept", "rate", "base", "edge", "moved", "return"))
    )
    both = next(record for record in track.records if record.predicted is None)
    text = tr("trust.no_calls") if not both.count else tr("trust.bases")
    below = f"<p>{text}</p>{_mean_return(both)}{_carried_by(both)}{skill_html(track.skill)}"
    return f"<table cellspacing='4'><tr>{heads}</tr>{cells}</table>{below}"


def skill_html(skill: SkillSplit | None) -> str:
    """Return the log loss saved in its parts, and the sentence on what that shows; "" without any."""
    if skill is None:
        return ""
    figures = tr(
        "skill.figures",
        saved=_nats(skill.log_loss_saved),
        flat=_nats(skill.flat),
        direction=_nats(skill.direction),
        moved=_percent(skill.moved_hit_rate),
    )
    return f"<p><b>{tr(f'skill.verdict.{skill.verdict.value}')}</b><br>{figures}</p>"


def _row(record: TrackRecord) -> str:
    predicted = record.predicted
    texts = [
        tr("trust.both") if predicted is None else tr(f"direction.{predicted.name.lower()}"),
        f"{record.count:,}",
        f"{record.kept:,}" if record.kept is not None else "–",
        f"{record.hit_rate:.1%}" if record.hit_rate is not None else "–",
        f"{record.base_rate:.1%}" if record.base_rate is not None and record.opposites is not None else "–",
        _points(record.edge),
        _percent(record.moved_hit_rate),
        f"{record.mean_return:+.2%}" if record.mean_return is not None else "–",
    ]
    cells = (
        f"<td align='{'left' if not n else 'right'}' style='white-space:nowrap'>{text}&nbsp;</td>"
        for n, text in enumerate(texts)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _mean_return(record: TrackRecord) -> str:
    """Return the interval of the mean return in a sentence; "" without one."""
    interval = record.mean_return_interval
    if interval is None:
        return ""
    value, low, high = (f"{end:+.2%}" for end in (interval.value, interval.low, interval.high))
    return f"<p>{tr('trust.mean_return', value=value, low=low, high=high)}</p>"


def _carried_by(record: TrackRecord) -> str:
    """Return the sessions that the mean return rests on, in a sentence; "" without any."""
    if not record.carried_by:
        return ""
    text = tr(
        "trust.carried_by",
        days=", ".join(each.day for each in record.carried_by),
        rest=f"{record.carried_by[-1].mean_without:+.2%}",
    )
    return f"<p>{text}</p>"


def _title(column: str) -> str:
    """Return a column's title, in two lines of about the same length."""
    words = tr(f"trust.column.{column}").split()
    middle = (len(words) + 1) // 2
    return "&nbsp;<br>".join(" ".join(part) for part in (words[:middle], words[middle:]) if part)


def _percent(estimate: IntervalEstimate | None) -> str:
    return "–" if estimate is None else f"{estimate.value:.1%} ({estimate.low:.1%} … {estimate.high:.1%})"


def _points(estimate: IntervalEstimate | None) -> str:
    if estimate is None:
        return "–"
    value, low, high = (100 * end for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} ({low:+.1f} … {high:+.1f})"


def _nats(estimate: IntervalEstimate) -> str:
    return f"{estimate.value:+.4f} ({estimate.low:+.4f} … {estimate.high:+.4f})"
