"""Requests of `glasstape explain`: several maps of one item explain the same window by the same model version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from glasstape import Client, Explanation, Method, Model

IMPORTANCE = "scaled_path_gradient"
"""Method of the map that shows what the score depends on."""
CONTRIBUTIONS = "integrated_gradients"
"""Method of the map that adds up: shares and sentences are taken from it."""
MAX_BARS = 4096
"""Bars of one symbol in a request."""


@dataclass(frozen=True)
class ItemMaps:
    """The maps of one item."""

    explanations: Sequence["Explanation"]
    """At least one; if the first has an error, the item failed and it is the only one."""
    missing: str = ""
    """Why the other map is missing; "" if it is not."""

    @property
    def failed(self) -> bool:
        """Whether the item has no map."""
        return self.explanations[0].error is not None


def explain_by_two(client: "Client", inputs: dict[str, Any], parameters: dict[str, Any]) -> list[ItemMaps]:
    """Explain each item by importance and by contributions.

    Where only one of the two is served, the other is missing.

    Args:
        client: of the server.
        inputs: source and model, as `Client.explain` takes them.
        parameters: score, baseline, quality and so on, for both methods.

    Raises:
        GlasstapeError: a call failed; the first one, if both did.
    """
    from glasstape import InvalidRequestError, PreconditionError

    refused = (PreconditionError, InvalidRequestError)
    try:
        first = client.explain(**inputs, method=IMPORTANCE, **parameters)
    except refused as error:
        try:
            return _alone(client.explain(**inputs, method=CONTRIBUTIONS, **parameters), error)
        except refused:
            raise error from None
    items = [ItemMaps([explanation]) for explanation in first]
    kept = [n for n, item in enumerate(first) if item.error is None or isinstance(item.error, refused)]
    for rows in _calls(inputs, first, kept):
        try:
            second = client.explain(
                **_pinned(client, inputs, first, rows, parameters), method=CONTRIBUTIONS, **parameters
            )
        except refused as error:
            for row in rows:
                items[row] = _combined(first[row], None, str(error))
            continue
        for row, explanation in zip(rows, second, strict=True):
            items[row] = _combined(first[row], explanation, str(explanation.error))
    return items


def explain_by_all(client: "Client", inputs: dict[str, Any], *, seed: int, quality: str) -> list[ItemMaps]:
    """Explain one item by every method of its model; inputs as in `explain_by_two`."""
    from glasstape import Method

    first = client.explain(**inputs, quality="none")[0]
    if first.model is None or first.prediction is None:
        return [ItemMaps([first])]
    model = client.model(_name(first))
    pinned = _pinned(client, inputs, [first], [0], {})
    edited = _bars(client, first, model) if "symbols" in inputs else pinned
    explanations = []
    for method in model.methods:
        source = edited if method is Method.COUNTERFACTUAL else pinned
        found = client.explain(**source, method=method, score=_score(method), seed=seed, quality=quality)[0]
        explanations.append(_in_context(found, first))
    return [ItemMaps(explanations)]


def _score(method: "Method") -> str:
    from glasstape import Method

    # Their papers explain a single logit.
    return "logit" if method in (Method.GRAD_CAM, Method.ATTENTION) else "unspecified"


def _alone(explanations: Sequence["Explanation"], error: Exception) -> list[ItemMaps]:
    return [ItemMaps([item], "" if item.error is not None else str(error)) for item in explanations]


def _combined(first: "Explanation", second: "Explanation | None", reason: str) -> ItemMaps:
    """Return the maps of an item: both, the one that is served, or the first one's error."""
    served = second is not None and second.error is None
    if second is not None and served and first.error is None:
        return ItemMaps([first, _in_context(second, first)])
    if second is not None and served:
        return ItemMaps([second], str(first.error))
    return ItemMaps([first], "" if first.error is not None else reason)


def _calls(
    inputs: dict[str, Any], first: Sequence["Explanation"], kept: Sequence[int]
) -> list[Sequence[int]]:
    """Return the items of each further call: past signals have models of their own, other calls one for all."""
    if "signals" in inputs:
        return [kept] if kept else []
    groups: dict[str, list[int]] = {}
    for row in kept:
        if first[row].model is not None:
            groups.setdefault(_name(first[row]), []).append(row)
    return list(groups.values())


def _pinned(
    client: "Client",
    inputs: dict[str, Any],
    first: Sequence["Explanation"],
    rows: Sequence[int],
    parameters: dict[str, Any],
) -> dict[str, Any]:
    """Return inputs that a deployment or a bar close meanwhile does not change, for items of one model."""
    if "signals" in inputs:
        return {**inputs, "signals": [inputs["signals"][row] for row in rows]}
    name = _name(first[rows[0]])
    if "windows" in inputs:
        windows = np.asarray(inputs["windows"])
        return {"windows": windows if windows.ndim == 2 else windows[list(rows)], "model": name}
    if parameters.get("baseline") == "previous":  # the window of the bar before is not in the answer
        model = client.model(name)
        series = [_bars(client, first[row], model)["bars"][0] for row in rows]
        return {"bars": series, "model": name}
    return {"windows": np.stack([_window(first[row]) for row in rows]), "model": name}


def _window(explanation: "Explanation") -> Any:
    assert explanation.window is not None  # everything is included
    return explanation.window


def _bars(client: "Client", explanation: "Explanation", model: "Model") -> dict[str, Any]:
    """Return the bars of a symbol up to the explained one."""
    prediction = explanation.prediction
    assert prediction is not None
    bars = client.bars(prediction.symbol, model.interval, end=prediction.bar_close_time)
    return {"bars": [[bar for bar in bars if not bar.halted][-MAX_BARS:]], "model": _name(explanation)}


def _name(explanation: "Explanation") -> str:
    ref = explanation.model
    assert ref is not None
    return f"{ref.name}@{ref.version}"


def _in_context(explanation: "Explanation", first: "Explanation") -> "Explanation":
    """Return an explanation with what is known of the same item's first one: its symbol, bars and window."""
    times = first.bar_close_times
    drivers = tuple(
        replace(driver, bar_close_time=times[driver.time_index]) if times else driver
        for driver in explanation.drivers
    )
    return replace(
        explanation,
        prediction=first.prediction,
        bar_close_times=times,
        window=first.window if explanation.window is None else explanation.window,
        drivers=drivers,
        symbol=first.symbol,
    )
