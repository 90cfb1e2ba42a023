"""Rows of a table for the clipboard: tab-separated text and an HTML table, both with titles."""

from collections.abc import Sequence
from html import escape

from PyQt6.QtCore import QMimeData
from PyQt6.QtGui import QGuiApplication

FORMULA_SIGNS = ("=", "+", "-", "@", "\t")


def copy_table(titles: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> None:
    """Put a table on the clipboard. Texts stay texts in a spreadsheet, numbers become numbers; None is empty."""
    clipboard = QGuiApplication.clipboard()
    if clipboard is None:
        return
    data = QMimeData()
    lines = [list(titles), *([_plain(cell) for cell in row] for row in rows)]
    data.setText("\n".join("\t".join(line) for line in lines))
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    data.setHtml(f'<meta charset="utf-8"><table><tr>{head}</tr>{body}</table>')
    clipboard.setMimeData(data)


def escape_formula(text: str) -> str:
    """Return a text that a spreadsheet does not run as a formula: symbols and names come from the server."""
    return f"'{text}" if text[:1] in FORMULA_SIGNS else text


def _plain(cell: str | float | None) -> str:
    if cell is None:
        return ""
    return escape_formula(cell).replace("\t", " ") if isinstance(cell, str) else repr(cell)


def _cell(cell: str | float | None) -> str:
    if not isinstance(cell, str):
        return f"<td>{'' if cell is None else repr(cell)}</td>"
    # Spreadsheets keep the zeros of a code such as 005930 in cells of this format.
    return f"<td style=\"mso-number-format:'\\@'\">{escape(escape_formula(cell))}</td>"
