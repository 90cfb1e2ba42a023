"""Importance as a table of text, with rich."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glasstape import Importance, ImportanceEstimate, PartImportance, Quantity, WindowSet
from glasstape.words import bar_labels

_FULL = (40, 150, 60)
"""Color of the largest cell."""
_SLOPES = (Quantity.IMPORTANCE, Quantity.SENSITIVITY)
"""Quantities whose sign is that of a slope."""


def show(console: Console, importance: Importance) -> None:
    """Print the table of an importance, and what it was made of."""
    if not importance.parts:
        console.print(Text(f"no window: {_left_out(importance.windows)}"), highlight=False)
        return
    console.print(_table(importance))
    for line in _notes(importance):
        console.print(Text(line), style="dim", highlight=False)


def _table(importance: Importance) -> Table:
    steps, _ = importance.shape
    label = bar_labels((), steps)
    table = Table(title_justify="left", padding=(0, 1), show_edge=False)
    table.title = Text(
        f"share of importance, %: {importance.model.name}@{importance.model.version}, "
        f"{importance.method.value} of the {importance.score.value}"
    )
    table.add_column("feature", no_wrap=True)
    for time in range(steps):
        table.add_column(label(time), justify="right", no_wrap=True)
    for title in ("all bars", "95 %", "sign", *_further_titles(importance)):
        table.add_column(title, justify="right", no_wrap=True)
    cells = importance.values("share")
    peak = max((float(each) for each in cells.ravel() if each == each), default=0.0)
    for part in importance.features:
        column = cells[:, part.feature_index]
        shaded = [_shaded(float(share), peak) for share in column]
        table.add_row(part.feature, *shaded, *_figures(part, importance), *_further(part, importance))
    table.add_section()
    bars = [_percent(part.share) for part in importance.bars]
    table.add_row("all features", *bars, "", "", "", *[""] * len(_further_titles(importance)))
    return table


def _figures(part: PartImportance, importance: Importance) -> tuple[str, str, str]:
    signed = part.signed_mean
    sign = _signs(importance)[signed.value <= 0]
    if signed.low is None or signed.high is None or signed.low <= 0 <= signed.high:
        sign = "-"
    return _percent(part.share), _interval(part.share, 100, 1), sign


def _signs(importance: Importance) -> tuple[str, str]:
    return ("higher", "lower") if importance.quantity in _SLOPES else ("for", "against")


def _sign_note(importance: Importance) -> str:
    if importance.quantity in _SLOPES:
        return "sign: whether higher or lower values of the feature favor the explained class; -: neither"
    return "sign: whether the values of the feature were for or against the explained class; -: neither"


def _further_titles(importance: Importance) -> tuple[str, ...]:
    first = importance.features[0]
    loss = ("loss increase", "95 %") if first.loss_increase is not None else ()
    return loss + (("change", "95 %", "p") if first.change is not None else ())


def _further(part: PartImportance, importance: Importance) -> list[str]:
    cells = []
    if part.loss_increase is not None:
        cells += [f"{part.loss_increase.value:+.5f}", _interval(part.loss_increase, 1, 5)]
    if part.change is not None:
        change = part.change
        mark = "*" if change.significant else ""
        p_value = "-" if change.p_value is None else f"{change.p_value:.3f}{mark}"
        cells += [f"{100 * change.change.value:+.1f}", _interval(change.change, 100, 1), p_value]
    return cells


def _shaded(share: float, peak: float) -> Text:
    if share != share or not peak:
        return Text("-")
    red, green, blue = (round(channel * share / peak) for channel in _FULL)
    return Text(f"{100 * share:.1f}", f"white on rgb({red},{green},{blue})")


def _percent(estimate: ImportanceEstimate | None) -> str:
    return "-" if estimate is None else f"{100 * estimate.value:.1f}"


def _interval(estimate: ImportanceEstimate | None, factor: float, digits: int) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "-"
    return f"{factor * estimate.low:.{digits}f} to {factor * estimate.high:.{digits}f}"


def _notes(importance: Importance) -> Sequence[str]:
    windows = importance.windows
    notes = [_made_of("windows", windows)]
    first = importance.features[0]
    if first.share is not None and first.share.low is None:
        notes.append(f"no intervals: {windows.closes} closes are fewer than three blocks of {windows.block}")
    notes.append(_sign_note(importance))
    if first.loss_increase is not None:
        notes.append(
            f"loss increase: log loss in nats without the feature, on {windows.labeled} windows with known outcome; "
            f"{windows.seen} of the windows are training or validation data, which is no evidence of skill"
        )
    elif windows.seen:
        notes.append(f"{windows.seen} of the windows are training or validation data of the model")
    if importance.reference_windows is not None:
        notes.append(_made_of("compared with", importance.reference_windows))
    if first.change is not None:
        notes.append("change: share in points; p is corrected for the number of features; *: below 0.05")
    return notes


def _made_of(name: str, windows: WindowSet) -> str:
    return (
        f"{name}: {windows.windows} ({windows.down} down, {windows.flat} flat, {windows.up} up) of {windows.symbols} "
        f"symbols at {windows.closes} closes; {_left_out(windows)}"
    )


def _left_out(windows: WindowSet) -> str:
    period = f"{windows.start:%Y-%m-%d %H:%M} to {windows.end:%Y-%m-%d %H:%M} UTC"
    return (
        f"{windows.examined} of {windows.bars} bars from {period} were examined, {windows.unusable} end no window, "
        f"{windows.other_calls} have another prediction"
    )
