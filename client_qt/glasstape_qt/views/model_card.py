"""What a model is and what it is worth, in words a trader can act on."""

from collections.abc import Sequence
from html import escape

from glasstape import Estimate, LiveCalibration, Model, ShadowRecord

from glasstape_qt.i18n import say
from glasstape_qt.state.trust import Rate


def record_html(rates: Sequence[Rate], outcomes: int) -> str:
    """The track record as a table, with a sentence on what it proves."""
    if not outcomes:
        return f"<p>{say('trust.no_outcomes')}</p>"
    cells = "".join(_line(rate) for rate in rates)
    heads = "".join(
        f"<th align='{'left' if not n else 'right'}'>{say(f'trust.column.{name}')}&nbsp;&nbsp;</th>"
        for n, name in enumerate(("called", "n", "rate", "interval", "base", "return"))
    )
    verdict = {1: "trust.above", -1: "trust.below", 0: "trust.chance"}[rates[-1].proven]
    return f"<table cellspacing='4'><tr>{heads}</tr>{cells}</table><p>{say(verdict, n=rates[-1].count)}</p>"


def _line(rate: Rate) -> str:
    low, high = rate.interval
    texts = [
        say("trust.both") if rate.label == "both" else say(f"direction.{rate.label}"),
        f"{rate.count:,}",
        f"{rate.rate:.1%}" if rate.count else "–",
        f"{low:.1%} – {high:.1%}" if rate.count else "–",
        f"{rate.base_rate:.1%}" if rate.count else "–",
        f"{rate.mean_return:+.2%}" if rate.count else "–",
    ]
    return "<tr>" + "".join(
        f"<td align='{'left' if not n else 'right'}'>{text}&nbsp;&nbsp;</td>" for n, text in enumerate(texts)
    ) + "</tr>"  # fmt: skip


def html(model: Model | None) -> str:
    """The card."""
    if model is None:
        return f"<p>{say('card.none')}</p>"
    facts = [
        ("card.name", f"{model.ref.name}@{model.ref.version}"),
        ("card.network", say("card.network_text", name=model.architecture, steps=model.time_steps,
                             features=len(model.features))),
        ("card.horizon", say("card.horizon_text", n=model.horizon_bars, interval=model.interval)),
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
        f"<tr><td>{say(key)}&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>" for key, value in facts if value
    )
    checks = "".join(
        f"<li>{'✓' if check.passed else '✗'} {escape(check.name)}: {escape(check.text)}</li>"
        for check in model.checks
    )
    checked = (
        f"<p><b>{say('card.checks')}</b></p><ul style='margin-left:-20px'>{checks}</ul>" if checks else ""
    )
    return f"<p><b>{expected(model)}</b></p><table cellspacing='2'>{rows}</table>{checked}<p>{say('card.advice')}</p>"


def _live(live: LiveCalibration | None) -> str:
    """Confidences against outcomes since the model publishes."""
    if live is None:
        return ""
    text = say(
        "card.live_text",
        state=say(f"card.state.{live.state.value}"),
        sessions=live.sessions,
        outcomes=f"{live.outcomes:,}",
        winner=_gap(live.winner_gap),
        up=_gap(live.up_gap),
        novel=f"{live.novel_share.value:.1%}",
    )
    return f"{text} {say('card.drifted')}" if live.drifted else text


def _gap(gap: Estimate) -> str:
    value, low, high = (f"{100 * end:+.1f}" for end in (gap.value, gap.low, gap.high))
    return say("card.gap", value=value, low=low, high=high)


def _shadow(shadow: ShadowRecord | None) -> str:
    if shadow is None:
        return ""
    return say("card.shadow_text", rate=f"{shadow.rate:.1%}", n=f"{shadow.compared:,}")


def expected(model: Model) -> str:
    """The accuracy to expect, in plain words."""
    accuracy, base = model.metrics.get("validation/accuracy"), model.metrics.get("validation/base_rate")
    if accuracy is None or base is None:
        return say("card.expected_unknown")
    kept = model.metrics.get("validation/kept_accuracy")
    sentence = say("card.expected", right=round(100 * accuracy), base=round(100 * base))
    return sentence if kept is None else f"{sentence} {say('card.kept', right=round(100 * kept))}"
