"""How `glasstape explain` shows maps: one, two side by side, or those of every method."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from glasstape import (
    Client,
    Explanation,
    Method,
    Model,
    Quantity,
    checks_in_words,
    in_words,
    quantity_in_words,
    trust_in_words,
)
from glasstape.cli.connect import wide_console
from glasstape.cli.explain_requests import ItemMaps
from glasstape.cli.picture import Picture, save
from glasstape.cli.render import (
    NUMBERED_BARS,
    HeatmapTable,
    caption,
    direction_text,
    missing_text,
    small_map,
)
from glasstape.words import bar_labels

GAP = 3
"""Columns between two maps."""


@dataclass(frozen=True)
class _Drawn:
    """An item with maps, and what they are drawn with."""

    name: str
    item: ItemMaps
    model: Model
    zone: tzinfo

    @property
    def explanations(self) -> Sequence[Explanation]:
        return self.item.explanations


def show(
    client: Client, items: Sequence[ItemMaps], *, compare: bool, language: str, save: Path | None
) -> None:
    """Print the maps of each item, its error where there is none, and once what is known of each model.

    Args:
        client: describes the models and the time zones of exchanges.
        items: what was explained.
        compare: the maps are those of every method.
        language: of titles and sentences.
        save: also draw the maps to this file; None: do not.
    """
    console = wide_console()
    zones = {item.symbol: ZoneInfo(item.time_zone) for item in client.instruments()}
    models: dict[str, Model] = {}
    drawn = []
    for number, item in enumerate(items):
        first = item.explanations[0]
        name = first.symbol or f"#{number}"
        if first.model is None:
            console.print(Text(f"{name}: {first.error}", "red"))
            continue
        ref = f"{first.model.name}@{first.model.version}"
        if ref not in models:
            models[ref] = client.model(ref)
        drawn.append(_Drawn(name, item, models[ref], zones.get(first.symbol, UTC)))
    for each in drawn:
        if compare:
            _show_compared(console, each, language)
        else:
            _show_item(console, each, language)
    for model in models.values():
        for sentence in checks_in_words(model, language):
            console.print(Text(sentence, "yellow"))
    if save is not None and drawn:
        _save(save, drawn, language, compare=compare)
        console.print(f"saved {save}")


def _show_item(console: Console, drawn: _Drawn, language: str) -> None:
    explanations, zone = drawn.explanations, drawn.zone
    _show_prediction(console, drawn)
    shown = [
        item
        for item in explanations
        if item.heatmap is not None and (item.counterfactual is None or item.counterfactual.found)
    ]
    _show_maps(console, shown, drawn, language)
    for explanation in explanations:
        console.print(caption(explanation), style="dim")
        for sentence in trust_in_words(explanation, language):
            console.print(f"  {sentence}", highlight=False)
    if drawn.item.missing:
        console.print(Text(f"one map only: {drawn.item.missing}", "yellow"))
    prediction = explanations[0].prediction
    if prediction is not None and prediction.missing_bars:
        note = missing_text(prediction.missing_bars).strip()
        console.print(f"{note} in the window: rejected or never received", style="yellow")
    if prediction is not None and prediction.missing_symbols:
        note = missing_text(0, prediction.missing_symbols).strip()
        console.print(f"{note} when the window's closes were ranked", style="yellow")
    for sentence in in_words(_in_shares(explanations), language, zone):
        console.print(f"  {sentence}", highlight=False)


def _show_prediction(console: Console, drawn: _Drawn) -> None:
    confidence = drawn.explanations[0].confidence
    text = direction_text(confidence)
    console.print(Text(drawn.name), text, f"{confidence.winning:.1%} (up {confidence.up:.1%})")


def _show_maps(console: Console, shown: Sequence[Explanation], drawn: _Drawn, language: str) -> None:
    """Print maps side by side: as tables, in a narrow terminal as small maps; else one table below the other."""
    tables = [_table(item, drawn, language, names=not number) for number, item in enumerate(shown)]
    panels = [small_map(item, drawn.model, _name(item, language).partition(":")[0]) for item in shown]
    same_rows = len({item.heatmap.edges[1][-1] for item in shown if item.heatmap is not None}) == 1
    if same_rows and _fit(console, tables):
        _show_row(console, tables)
    elif len(shown) > 1 and _fit(console, panels):
        for item in shown:
            console.print(_name(item, language), highlight=False)
        _show_bars(console, drawn)
        _show_row(console, panels)
    else:
        for item in shown:
            console.print(_table(item, drawn, language, names=True))


def _table(explanation: Explanation, drawn: _Drawn, language: str, *, names: bool) -> HeatmapTable:
    return HeatmapTable(explanation, drawn.model, _name(explanation, language), drawn.zone, names=names)


def _name(explanation: Explanation, language: str) -> str:
    heatmap = explanation.heatmap
    return quantity_in_words(Quantity.UNSPECIFIED if heatmap is None else heatmap.quantity, language)


def _fit(console: Console, parts: Sequence[HeatmapTable | Panel]) -> bool:
    widths = [console.measure(part).maximum for part in parts]
    return sum(widths) + GAP * (len(parts) - 1) <= console.width


def _show_row(console: Console, parts: Sequence[HeatmapTable | Panel]) -> None:
    row = Table.grid(padding=(0, GAP, 0, 0))
    row.add_row(*parts)
    console.print(row)


def _show_bars(console: Console, drawn: _Drawn) -> None:
    first, model = drawn.explanations[0], drawn.model
    bars = bar_labels(first.bar_close_times, model.time_steps, drawn.zone)
    numbered = model.time_steps <= NUMBERED_BARS
    shown = range(model.time_steps) if numbered else (0, model.time_steps - 1)
    times = (", " if numbered else " … ").join(bars(row) for row in shown)
    numbers = "; numbers are tenths of each map's peak" if numbered else ""
    console.print(f"bars, from left to right: {times}{numbers}", style="dim")


def _in_shares(explanations: Sequence[Explanation]) -> Explanation:
    """Return the explanation that sentences are taken from: the one that adds up, if there is one."""
    adding_up = (
        item
        for item in explanations
        if item.heatmap is not None and item.heatmap.quantity is Quantity.CONTRIBUTION
    )
    return next(adding_up, explanations[0])


def _show_compared(console: Console, drawn: _Drawn, language: str) -> None:
    first, model, zone = drawn.explanations[0], drawn.model, drawn.zone
    console.print(Text(f"{drawn.name}, {model.ref.name}@{model.ref.version} ({model.architecture})"))
    confidence = first.confidence
    console.print(direction_text(confidence), f"{confidence.winning:.1%} (up {confidence.up:.1%})")
    _show_bars(console, drawn)
    console.print(Columns([small_map(item, model, item.method.value) for item in drawn.explanations]))
    for explanation in drawn.explanations:
        if explanation.method in (Method.INTEGRATED_GRADIENTS, Method.COUNTERFACTUAL):
            console.print(f"{explanation.method.value}:")
            for sentence in in_words(explanation, language, zone):
                console.print(f"  {sentence}", highlight=False)


def _save(path: Path, drawn: Sequence[_Drawn], language: str, *, compare: bool) -> None:
    first, ref = drawn[0].explanations[0], drawn[0].model.ref
    title = f"{ref.name}@{ref.version}"
    if len(drawn) == 1:
        confidence = first.confidence
        title = f"{drawn[0].name}: {confidence.direction.name} {confidence.winning:.1%} ({title})"
    save(path, [picture for each in drawn for picture in _pictures(each, language, compare)], title)


def _pictures(drawn: _Drawn, language: str, compare: bool) -> list[Picture]:
    pictures = []
    for explanation in drawn.explanations:
        named = f"{drawn.name} · {_name(explanation, language)}"
        name = explanation.method.value if compare else named
        pictures.append(Picture(name, explanation, drawn.model, drawn.zone))
    return pictures
