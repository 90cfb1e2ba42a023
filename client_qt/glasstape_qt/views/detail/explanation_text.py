"""The text of a detail: headline, drivers, counterfactual, verdicts and trust."""

from collections.abc import Sequence
from datetime import tzinfo
from html import escape

from glasstape import ConfidenceEvent, Explanation, Quantity, Verdict, in_words, trust_in_words

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
    worded: Explanation, shown: Sequence[Explanation], counterfactual: Explanation | None, zone: tzinfo
) -> str:
    """Return drivers, counterfactual and verdicts as rich text.

    Args:
        worded: the explanation whose drivers are put in words.
        shown: every explanation whose map is shown.
        counterfactual: of the same signal.
        zone: time zone for the names of bars.
    """
    target = worded.target.name.lower() if worded.target is not None else "unknown"
    title = tr("explanation.drivers", direction=tr(f"direction.{target}"))
    parts = [f"<p><b>{title}</b></p><ol style='margin-left:-20px'>"]
    parts += [f"<li>{escape(sentence)}</li>" for sentence in in_words(worded, language(), zone)]
    parts.append("</ol>")
    if counterfactual is not None and counterfactual.counterfactual is not None:
        sentence = " ".join(in_words(counterfactual, language(), zone))
        parts.append(f"<p><b>{tr('explanation.counterfactual')}</b> {escape(sentence)}</p>")
    for explanation in shown:
        title = tr("explanation.quality") if len(shown) == 1 else _reliability_of(explanation)
        parts.append(f"<p><b>{escape(title)}</b> {_verdict_html(explanation)}</p>")
    return "".join(parts)


def error_text(error: Exception) -> str:
    """Return the first line of an error; its class where it has no text."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _reliability_of(explanation: Explanation) -> str:
    quantity = explanation.heatmap.quantity if explanation.heatmap is not None else Quantity.UNSPECIFIED
    return tr("explanation.quality_of", quantity=tr(f"quantity.{quantity.value}"))


def _verdict_html(explanation: Explanation) -> str:
    quality = explanation.quality
    if quality is None or quality.verdict is Verdict.UNSPECIFIED:
        return tr("verdict.unspecified")
    text = ". ".join([tr(f"verdict.{quality.verdict.value}"), *trust_in_words(explanation, language())])
    items = "".join(f"<li>{escape(reason)}</li>" for reason in quality.reasons)
    return f"{escape(text)}<ul style='margin-left:-20px'>{items}</ul>" if items else escape(text)
