"""Rich text of the model card."""

from html import escape

from glasstape import IntervalEstimate, LiveCalibration, Model, ShadowRecord

from glasstape_qt.i18n import tr
from glasstape_qt.views.trust.track_record import skill_html


def model_card_html(model: Model | None) -> str:
    """Return the card of a model: expected accuracy, facts, live calibration and checks."""
    if model is None:
        return f"<p>{tr('card.none')}</p>"
    facts = [
        ("card.name", f"{model.ref.name}@{model.ref.version}"),
        ("card.network", tr("card.network_text", name=model.architecture, steps=model.time_steps,
                             features=len(model.features))),
        ("card.horizon", tr("card.horizon_text", n=model.horizon_bars, interval=model.interval)),
        ("card.labels", model.label_rule),
        ("card.data", model.training_data),
        ("card.seen", f"{model.seen_until:%Y-%m-%d}" if model.seen_until else "–"),
        ("card.threshold", f"{model.abstain_threshold:.1%}"),
        ("card.temperature", f"{model.temperature:.3f}"),
        ("card.digest", model.ref.digest[:16]),
        ("card.ranking", _ranking(model)),
        ("card.live", _live(model.live)),
        ("card.drift", _drift(model.live)),
        ("card.shadow", _shadow(model.shadow)),
    ]  # fmt: skip
    rows = "".join(
        f"<tr><td>{tr(key)}&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>" for key, value in facts if value
    )
    return (
        f"<p><b>{expected_accuracy(model)}</b></p>{skill_html(model.skill)}<table cellspacing='2'>{rows}</table>"
        f"{_checks(model)}<p>{tr('card.advice')}</p>"
    )


def _checks(model: Model) -> str:
    """Return the checks of the trained model as a list; "" without any."""
    items = "".join(
        f"<li>{'✓' if check.passed else '✗'} {escape(check.name)}: {escape(check.text)}</li>"
        for check in model.checks
    )
    return f"<p><b>{tr('card.checks')}</b></p><ul style='margin-left:-20px'>{items}</ul>" if items else ""


def _ranking(model: Model) -> str:
    """Return the Rank IC beside that of the classes and of low volatility; "" without a rank head."""
    texts = {
        name: f"{each.value:+.3f} ({each.low:+.3f} … {each.high:+.3f})"
        for name, each in model.rank_ic.items()
    }
    return tr("card.ranking_text", **texts) if texts else ""


def _live(live: LiveCalibration | None) -> str:
    """Return confidences against outcomes since the model was activated."""
    if live is None:
        return ""
    gaps = {
        "winner": live.winner_gap,
        "down": live.down_gap,
        "flat": live.flat_gap,
        "up": live.up_gap,
        "up_call": live.up_call_gap,
    }
    return tr(
        "card.live_text",
        state=tr(f"card.state.{live.state.value}", band=f"{100 * live.band:g}"),
        sessions=live.sessions,
        outcomes=f"{live.outcomes:,}",
        gaps=", ".join(
            f"{tr(f'card.gap_of.{name}')} {_gap(gap)}" for name, gap in gaps.items() if gap is not None
        ),
    )


def _drift(live: LiveCalibration | None) -> str:
    """Return inputs against the training data."""
    if live is None:
        return ""
    shifts = live.drift.shifts if live.drift is not None else ()
    novel = tr("card.novel", share=f"{live.novel_share.value:.1%}")
    shifted = [
        tr("card.shifted", feature=each.feature, value=f"{each.shift.value:+.2f}")
        for each in shifts
        if each.significant
    ]
    return " ".join([tr("card.drifted"), novel, *shifted] if live.drifted else [novel, *shifted])


def _gap(gap: IntervalEstimate) -> str:
    value, low, high = (f"{100 * end:+.1f}" for end in (gap.value, gap.low, gap.high))
    return tr("card.gap", value=value, low=low, high=high)


def _shadow(shadow: ShadowRecord | None) -> str:
    if shadow is None:
        return ""
    return tr("card.shadow_text", rate=f"{shadow.rate:.1%}", n=f"{shadow.compared:,}")


def expected_accuracy(model: Model) -> str:
    """Return the expected accuracy as a sentence, from the model's validation."""
    accuracy, base = model.metrics.get("validation/accuracy"), model.metrics.get("validation/base_rate")
    if accuracy is None or base is None:
        return tr("card.expected_unknown")
    sentence = tr("card.expected", right=round(100 * accuracy), base=round(100 * base))
    calls, kept = (model.metrics.get(f"validation/{name}") for name in ("calls", "kept_calls"))
    if not calls or kept is None:
        return sentence
    return f"{sentence} {tr('card.kept', kept=f'{kept / calls:.0%}')}"
