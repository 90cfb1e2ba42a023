"""The read-out of a bar: time, prices, volume, studies and signals."""

from collections.abc import Sequence
from datetime import tzinfo

from glasstape import Bar, ConfidenceEvent

from glasstape_qt.i18n import tr
from glasstape_qt.state.symbol_detail import SymbolDetail


def bar_text(bars: Sequence[Bar], number: int, zone: tzinfo, decimals: int) -> str:
    """Return the values of a bar and its change from the bar before; "" if there is no such bar."""
    if not 0 <= number < len(bars):
        return ""
    bar, local = bars[number], bars[number].close_time.astimezone(zone)
    prices = {name: f"{getattr(bar, name):,.{decimals}f}" for name in ("open", "high", "low", "close")}
    previous = bars[number - 1].close if number else 0.0
    change = f"{bar.close / previous - 1:+.2%}" if previous else ""
    forming = tr("chart.forming") if bar.provisional else ""
    texts = [
        f"{local:%Y-%m-%d %H:%M}",
        tr("chart.bar", **prices, volume=f"{bar.volume:,.0f}"),
        change,
        forming,
    ]
    return "   ".join(text for text in texts if text)


def signal_text(event: ConfidenceEvent, detail: SymbolDetail) -> str:
    """Return the class of a signal, its confidence, and what came of it."""
    confidence = event.signal.probabilities
    outcome = {True: "hit", False: "miss", None: "pending"}[detail.was_hit(event)]
    direction = tr(f"direction.{confidence.direction.name.lower()}")
    return f"{direction} {confidence.winning:.0%} · {tr(f'outcome.{outcome}')}"
