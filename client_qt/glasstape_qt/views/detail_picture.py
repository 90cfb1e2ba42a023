"""From an explanation to what is drawn and copied of it."""

from glasstape import Explanation, Model

from glasstape_qt.state import exchange
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.detail import Detail
from glasstape_qt.views.heatmap import Picture
from glasstape_qt.views.questions import Asked


def model_of(explanation: Explanation | None, desk: Desk) -> Model | None:
    """The description of what made it; None if the server has not described it."""
    reference = explanation.prediction.model if explanation is not None else None
    return desk.models.get(reference.digest) if reference is not None else None


def picture_of(
    explanation: Explanation | None, detail: Detail, desk: Desk, *, shared: bool
) -> Picture | None:
    """What the heat map shows; None if it cannot be drawn.

    Args:
        explanation: of the detail's signal.
        detail: whose bars stand over the columns.
        desk: knows models, zones and the scale of all symbols.
        shared: one colour scale for all symbols.
    """
    model = model_of(explanation, desk)
    if explanation is None or explanation.heatmap is None or model is None:
        return None
    window = detail.window(explanation.heatmap.values.shape[0])
    bars = detail.bars[window[0] : window[1] + 1] if window is not None else []
    full = desk.scale.full(explanation) if shared else explanation.heatmap.full_colour
    return Picture(explanation, model, bars, exchange.zone(desk.instrument(detail.symbol)), full)


def as_python(address: str, asked: Asked) -> str:
    """The lines that give what is on the screen."""
    return (
        "from glasstape import Client, in_words\n\n"
        f"with Client({address!r}) as client:\n"
        f"    explanation = client.explain(signals=[{asked.sequence}], "
        f"method={str(asked.method)!r}, score={str(asked.score)!r})[0]\n"
        "    print(explanation.prediction.unwrap())\n"
        "    print(explanation.heatmap.values)\n"
        "    print(*in_words(explanation), sep='\\n')\n"
    )
