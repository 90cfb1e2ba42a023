"""Rich text of the track record and of the model card."""

from html import escape

from glasstape import IntervalEstimate, LiveCalibration, Model, ShadowRecord, TrackRecord, TrackRecords

from glasstape_qt.i18n import tr


def track_record_html(track: TrackRecords | None) -> str:
    """Return the track record as a table, with a sentence on its significance."""
    if track is None or not track.outcomes:
        return f"<p>{tr('trust.no_outcomes')}</p>"
    cells = "".join(_row(record) for record in track.records)
    heads = "".join(
        f"<th align='{'left' if not n else 'right'}'>{tr(f'trust.column.{name}')}&nbsp;&nbsp;</th>"
        for n, name in enumerate(("called", "n", "rate", "interval", "base", "return"))
    )
    both = next(record for record in track.records if record.predicted is None)
    return f"<table cellspacing='4'><tr>{heads}</tr>{cells}</table><p>{_significance(both)}</p>"


def _significance(record: TrackRecord) -> str:
    if record.hit_rate_low is None or record.hit_rate_high is None or record.base_rate is None:
        return tr("trust.no_calls")
    if record.hit_rate_low > record.base_rate:
        return tr("trust.above", n=record.count)
    return tr("trust.below" if record.hit_rate_high < record.base_rate else "trust.chance", n=record.count)


def _row(record: TrackRecord) -> str:
    predicted, rate = record.predicted, record.hit_rate
    texts = [
        tr("trust.both") if predicted is None else tr(f"direction.{predicted.name.lower()}"),
        f"{record.count:,}",
        f"{rate:.1%}" if rate is not None else "–",
        f"{record.hit_rate_low:.1%} – {record.hit_rate_high:.1%}" if record.count else "–",
        f"{record.base_rate:.1%}" if record.base_rate is not None else "–",
        f"{record.mean_return:+.2%}" if record.mean_return is not None else "–",
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
    kept_accuracy = model.metrics.get("validation/kept_accuracy")
    sentence = tr("card.expected", right=round(100 * accuracy), base=round(100 * base))
    return (
        sentence
        if kept_accuracy is None
        else f"{sentence} {tr('card.kept', right=round(100 * kept_accuracy))}"
    )
