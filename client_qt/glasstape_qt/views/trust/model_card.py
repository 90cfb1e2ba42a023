"""Rich text of the track record and of the model card."""

from collections.abc import Sequence
from html import escape

from glasstape import Estimate, LiveCalibration, Model, ShadowRecord

from glasstape_qt.i18n import tr
from glasstape_qt.state.track_record import HitRate


def track_record_html(rates: Sequence[HitRate], outcomes: int) -> str:
    """Return the track record as a table, with a sentence on its significance."""
    if not outcomes:
        return f"<p>{tr('trust.no_outcomes')}</p>"
    cells = "".join(_row(rate) for rate in rates)
    heads = "".join(
        f"<th align='{'left' if not n else 'right'}'>{tr(f'trust.column.{name}')}&nbsp;&nbsp;</th>"
        for n, name in enumerate(("called", "n", "rate", "interval", "base", "return"))
    )
    verdict = {1: "trust.above", -1: "trust.below", 0: "trust.chance"}[rates[-1].significance]
    return f"<table cellspacing='4'><tr>{heads}</tr>{cells}</table><p>{tr(verdict, n=rates[-1].count)}</p>"


def _row(rate: HitRate) -> str:
    low, high = rate.interval
    texts = [
        tr("trust.both") if rate.label == "both" else tr(f"direction.{rate.label}"),
        f"{rate.count:,}",
        f"{rate.rate:.1%}" if rate.count else "–",
        f"{low:.1%} – {high:.1%}" if rate.count else "–",
        f"{rate.base_rate:.1%}" if rate.count else "–",
        f"{rate.mean_return:+.2%}" if rate.count else "–",
    ]
    return "<tr>" + "".join(
        f"<td align='{'left' if not n else 'right'}'>{text}&nbsp;&nbsp;</td>" for n, text in enumerate(texts)
    ) + "</tr>"  # fmt: skip


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
        ("card.live", _live(model.live)),
        ("card.shadow", _shadow(model.shadow)),
    ]  # fmt: skip
    rows = "".join(
        f"<tr><td>{tr(key)}&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>" for key, value in facts if value
    )
    return (
        f"<p><b>{expected_accuracy(model)}</b></p><table cellspacing='2'>{rows}</table>{_checks(model)}"
        f"<p>{tr('card.advice')}</p>"
    )


def _checks(model: Model) -> str:
    """Return the checks of the trained model as a list; "" without any."""
    items = "".join(
        f"<li>{'✓' if check.passed else '✗'} {escape(check.name)}: {escape(check.text)}</li>"
        for check in model.checks
    )
    return f"<p><b>{tr('card.checks')}</b></p><ul style='margin-left:-20px'>{items}</ul>" if items else ""


def _live(live: LiveCalibration | None) -> str:
    """Return confidences against outcomes since the model was activated."""
    if live is None:
        return ""
    text = tr(
        "card.live_text",
        state=tr(f"card.state.{live.state.value}"),
        sessions=live.sessions,
        outcomes=f"{live.outcomes:,}",
        winner=_gap(live.winner_gap),
        up=_gap(live.up_gap),
        novel=f"{live.novel_share.value:.1%}",
    )
    return f"{text} {tr('card.drifted')}" if live.drifted else text


def _gap(gap: Estimate) -> str:
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
    kept_accuracy = model.metrics.get("validation/kept_accuracy")
    sentence = tr("card.expected", right=round(100 * accuracy), base=round(100 * base))
    return (
        sentence
        if kept_accuracy is None
        else f"{sentence} {tr('card.kept', right=round(100 * kept_accuracy))}"
    )
