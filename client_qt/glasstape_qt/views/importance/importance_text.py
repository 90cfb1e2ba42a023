"""The table of features, and what was summarized, as HTML."""

from html import escape

from glasstape import Importance, PartImportance, Quantity, WindowSet
from glasstape.words import feature_name

from glasstape_qt.i18n import language, tr
from glasstape_qt.views.importance.importance_map import FIGURES, estimate_of, figure_text

SLOPES = (Quantity.IMPORTANCE, Quantity.SENSITIVITY)
"""Quantities whose sign is that of a slope."""
NO_BREAK = "\N{NO-BREAK SPACE}"


def importance_html(importance: Importance) -> str:
    """Return the features with their figures, strongest first, then what was summarized."""
    return _table(importance) + "".join(f"<p>{escape(text)}</p>" for text in _notes(importance))


def empty_text(importance: Importance) -> str:
    """Return why there is no map: no window."""
    return tr("importance.empty", **_left_out(importance.windows))


def _table(importance: Importance) -> str:
    features = importance.features
    figures = [figure for figure in FIGURES if estimate_of(features[0], figure) is not None]
    titles = [tr("importance.feature"), *(tr(f"importance.figure.{figure}") for figure in figures)]
    head = "".join(
        f"<th align='left'>{escape(title)}&nbsp;&nbsp;</th>" for title in (*titles, _sign_title(importance))
    )
    ordered = sorted(features, key=lambda part: -part.importance.value)
    rows = "".join(_row(part, figures, importance) for part in ordered)
    return f"<table cellspacing='3'><tr>{head}</tr>{rows}</table>"


def _row(part: PartImportance, figures: list[str], importance: Importance) -> str:
    texts = [feature_name(part.feature, language())]
    texts += [figure_text(part, figure).replace(" ", NO_BREAK) for figure in figures]
    cells = "".join(f"<td>{escape(text)}&nbsp;&nbsp;</td>" for text in (*texts, _sign(part, importance)))
    return f"<tr>{cells}</tr>"


def _sign_title(importance: Importance) -> str:
    return tr("importance.favors") if importance.quantity in SLOPES else tr("importance.effect")


def _sign(part: PartImportance, importance: Importance) -> str:
    signed = part.signed_mean
    if signed.low is None or signed.high is None or signed.low <= 0 <= signed.high:
        return "–"
    if importance.quantity in SLOPES:
        return tr("importance.higher") if signed.value > 0 else tr("importance.lower")
    return tr("importance.supports") if signed.value > 0 else tr("importance.opposes")


def _notes(importance: Importance) -> list[str]:
    windows, first = importance.windows, importance.features[0]
    method, score = tr(f"method.{importance.method.value}"), tr(f"score.{importance.score.value}")
    model = f"{importance.model.name}@{importance.model.version}"
    notes = [
        tr(
            "importance.made_of", windows=windows.windows, symbols=windows.symbols, closes=windows.closes,
            down=windows.down, flat=windows.flat, up=windows.up, model=model, method=method, score=score,
        ),
        tr("importance.left_out", **_left_out(windows)),
    ]  # fmt: skip
    if first.importance.low is None:
        notes.append(tr("importance.no_interval", closes=windows.closes, block=windows.block))
    else:
        notes.append(tr("importance.interval"))
    if first.loss_increase is not None:
        notes.append(tr("importance.loss_note", labeled=windows.labeled, seen=windows.seen))
    elif windows.seen:
        notes.append(tr("importance.seen", seen=windows.seen))
    if importance.reference_windows is not None:
        before = importance.reference_windows
        notes.append(tr("importance.reference", windows=before.windows, closes=before.closes))
    if first.change is not None:
        notes.append(tr("importance.change_note"))
    return notes


def _left_out(windows: WindowSet) -> dict[str, object]:
    return {
        "start": f"{windows.start:%Y-%m-%d}",
        "end": f"{windows.end:%Y-%m-%d}",
        "bars": windows.bars,
        "examined": windows.examined,
        "unusable": windows.unusable,
        "other": windows.other_calls,
    }
