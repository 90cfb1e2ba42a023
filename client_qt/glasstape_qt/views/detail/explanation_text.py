"""The text of a detail: headline, drivers, counterfactual and verdict."""

from datetime import tzinfo
from html import escape

from glasstape import ConfidenceEvent, Explanation, Verdict, in_words

from glasstape_qt.i18n import language, tr
from glasstape_qt.models.cell_texts import ARROWS, confidence_values
from glasstape_qt.state import exchange
from glasstape_qt.state.watch_row import WatchRow


def headline(event: ConfidenceEvent, row: WatchRow, *, pinned: bool) -> str:
    """Return class and confidences of a signal, its bar and its expiry."""
    confidence = event.signal.probabilities
    zone, missing = exchange.zone(row.instrument), event.signal.missing_bars
    symbols = event.signal.missing_symbols
    return tr(
        "explanation.headline",
        arrow=ARROWS[confidence.direction],
        **confidence_values(confidence),
        bar=exchange.in_market_time(event.bar_close_time, zone),
        until=exchange.in_market_time(event.signal.expire_time, zone),
        abstained=f" · {tr('cell.abstained')}" if confidence.abstained else "",
        missing=(f" · {tr('explanation.missing', count=missing)}" if missing else "")
        + (f" · {tr('explanation.missing_symbols', count=symbols)}" if symbols else ""),
        pinned=f" · {tr('explanation.pinned')}" if pinned else "",
    )


def explanation_html(
    explanation: Explanation | None, counterfactual: Explanation | None, zone: tzinfo
) -> str:
    """Return drivers, counterfactual and verdict as rich text; "" without a map."""
    if explanation is None or explanation.heatmap is None:
        return ""
    target = explanation.target.name.lower() if explanation.target is not None else "unknown"
    title = tr("explanation.drivers", direction=tr(f"direction.{target}"))
    parts = [f"<p><b>{title}</b></p><ol style='margin-left:-20px'>"]
    parts += [f"<li>{escape(sentence)}</li>" for sentence in in_words(explanation, language(), zone)]
    parts.append("</ol>")
    if counterfactual is not None and counterfactual.counterfactual is not None:
        sentence = " ".join(in_words(counterfactual, language(), zone))
        parts.append(f"<p><b>{tr('explanation.counterfactual')}</b> {escape(sentence)}</p>")
    parts.append(f"<p><b>{tr('explanation.quality')}</b> {_verdict_html(explanation)}</p>")
    return "".join(parts)


def _verdict_html(explanation: Explanation) -> str:
    quality = explanation.quality
    if quality is None or quality.verdict is Verdict.UNSPECIFIED:
        return tr("verdict.unspecified")
    text = tr(f"verdict.{quality.verdict.value}")
    if not quality.reasons:
        return text
    items = "".join(f"<li>{escape(reason)}</li>" for reason in quality.reasons)
    return f"{text}<ul style='margin-left:-20px'>{items}</ul>"
