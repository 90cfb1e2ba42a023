"""The words under a map: what was said and how far it can be trusted, drivers, verdict, counterfactual."""

from datetime import tzinfo
from html import escape

from glasstape import ConfidenceEvent, Explanation, Verdict, in_words

from glasstape_qt.i18n import language, say
from glasstape_qt.models.cells import ARROWS, in_percent
from glasstape_qt.state import exchange
from glasstape_qt.state.rows import Row


def headline(event: ConfidenceEvent, row: Row, *, pinned: bool) -> str:
    """What the signal says, of which bar, and until when."""
    said = event.signal.confidence
    place = exchange.zone(row.instrument)
    return say(
        "reasons.headline",
        arrow=ARROWS[said.direction],
        **in_percent(said),
        bar=exchange.in_market_time(event.bar_close_time, place),
        until=exchange.in_market_time(event.signal.expire_time, place),
        abstained=f" · {say('cell.abstained')}" if said.abstained else "",
        pinned=f" · {say('reasons.pinned')}" if pinned else "",
    )


def html(explanation: Explanation | None, flip: Explanation | None, zone: tzinfo) -> str:
    """Drivers, counterfactual and verdict as rich text."""
    if explanation is None or explanation.heatmap is None:
        return ""
    target = explanation.target.name.lower() if explanation.target is not None else "unknown"
    parts = [
        f"<p><b>{say('reasons.why', direction=say(f'direction.{target}'))}</b></p><ol style='margin-left:-20px'>"
    ]
    parts += [f"<li>{escape(sentence)}</li>" for sentence in in_words(explanation, language(), zone)]
    parts.append("</ol>")
    if flip is not None and flip.counterfactual is not None:
        sentence = " ".join(in_words(flip, language(), zone))
        parts.append(f"<p><b>{say('reasons.flip')}</b> {escape(sentence)}</p>")
    parts.append(f"<p><b>{say('reasons.quality')}</b> {_verdict(explanation)}</p>")
    return "".join(parts)


def _verdict(explanation: Explanation) -> str:
    quality = explanation.quality
    if quality is None or quality.verdict is Verdict.UNSPECIFIED:
        return say("verdict.unspecified")
    text = say(f"verdict.{quality.verdict.value}")
    if not quality.reasons:
        return text
    return (
        text
        + "<ul style='margin-left:-20px'>"
        + "".join(f"<li>{escape(r)}</li>" for r in quality.reasons)
        + "</ul>"
    )
