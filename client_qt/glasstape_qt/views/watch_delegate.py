"""The delegate of the watch table: it paints ground, bar and text itself, from colours mixed once."""

from functools import partial

from glasstape import Direction
from PyQt6.QtCore import QModelIndex, QRect, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from glasstape_qt.look.appearance import Appearance
from glasstape_qt.look.colours import mix, readable
from glasstape_qt.models.watch import COLUMNS, RIGHT, WatchModel
from glasstape_qt.state.rows import Row

FLASH = 0.9
"""Seconds that a row glows after its class changed."""
MARGIN = 6
STALE = 0.4
"""What is left of the colour when the rows may be old."""
SHADES = 200
"""Steps of the ramp."""
KNOWN_WIDTHS = 20_000
"""Texts whose widths are remembered."""
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_CENTRE = int(Qt.AlignmentFlag.AlignCenter)


class WatchDelegate(QStyledItemDelegate):
    """Style sheets and roles would fight over the background, so nothing of them is used."""

    def __init__(self, model: WatchModel, appearance: Appearance, table: QWidget) -> None:
        super().__init__(table)
        self._model, self._appearance, self._table = model, appearance, table
        self.restyle()

    def restyle(self) -> None:
        """Another look: forget what was mixed."""
        self._metrics = QFontMetrics(self._table.font())
        self._widths: dict[str, int] = {}
        self._grounds: dict[tuple[int, int], tuple[QColor, QColor, QColor]] = {}
        theme, colours = self._appearance.theme, self._appearance.colours
        self._base = QColor(theme.base)
        self._parts: dict[tuple[Direction, bool], tuple[QColor, QColor]] = {}
        for direction in Direction:
            full = colours.of(direction)
            faint = mix(self._base, full, 0.55)
            self._parts[direction, True] = (full, readable(full))
            self._parts[direction, False] = (faint, readable(faint))

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """One cell."""
        number = index.row()
        row = self._model.row(number)
        if painter is None or row is None:
            return
        column, rect = COLUMNS[index.column()], option.rect
        ground, ink, faded = self._colours(row, number)
        painter.fillRect(rect, ground)
        if (
            row.old
            or not self._model.cells.fresh
            or row.event.signal.expire_time <= self._model.cells.market_now
        ):
            ink = faded  # old, or its horizon has passed
        if column == "confidence":
            self._bar(painter, rect, row)
        else:
            painter.setPen(ink)
            inner = rect.adjusted(MARGIN, 0, -MARGIN, 0)
            text = self._model.cells.text(row, column)
            if self._width(text) > inner.width():
                text = self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
            painter.drawText(inner, _RIGHT if column in RIGHT else _LEFT, text)
        if option.state & QStyle.StateFlag.State_Selected:
            _frame(painter, rect, ink, index.column())

    def ground(self, row: Row, number: int) -> QColor:
        """Background of a row: the ramp of the buy confidence; it glows when the class has changed."""
        return self._colours(row, number)[0]

    def _colours(self, row: Row, number: int) -> tuple[QColor, QColor, QColor]:
        strength = 0.0 if row.old else row.strength() * (1.0 if self._model.cells.fresh else STALE)
        key = (round(strength * SHADES), number % 2)
        known = self._grounds.get(key)
        if known is None:
            theme = self._appearance.theme
            base = theme.alternate if number % 2 else theme.base
            known = self._grounds[key] = _with_inks(self._appearance.colours.ramp(key[0] / SHADES, base))
        if row.flashed and self._appearance.motion:
            left = 1 - (self._model.desk.now() - row.flashed) / FLASH
            if left > 0:
                return _with_inks(mix(known[0], QColor(self._appearance.theme.glow), 0.6 * left))
        return known

    def _width(self, text: str) -> int:
        known = self._widths.get(text)
        if known is None:
            if len(self._widths) > KNOWN_WIDTHS:
                self._widths.clear()
            known = self._widths[text] = self._metrics.horizontalAdvance(text)
        return known

    def _bar(self, painter: QPainter, rect: QRect, row: Row) -> None:
        said = row.event.signal.confidence
        area = rect.adjusted(MARGIN, 4, -MARGIN, -4)
        # The bar stands on the theme's own ground, so that its colours look alike in every row.
        painter.fillRect(area.adjusted(-1, -1, 1, 1), self._base)
        fill = partial(self._part, painter, area.top(), area.height())
        wide = area.width()
        down, flat = round(wide * said.down), round(wide * said.flat)
        fill(area.left(), down - 1, said.down, self._parts[Direction.DOWN, said.direction is Direction.DOWN])
        fill(
            area.left() + down,
            flat - 1,
            said.flat,
            self._parts[Direction.FLAT, said.direction is Direction.FLAT],
        )
        up = self._parts[Direction.UP, said.direction is Direction.UP]
        fill(area.left() + down + flat, wide - down - flat, said.up, up)

    def _part(
        self,
        painter: QPainter,
        top: int,
        height: int,
        left: int,
        width: int,
        share: float,
        look: tuple[QColor, QColor],
    ) -> None:
        part = QRect(left, top, width, height)
        painter.fillRect(part, look[0])
        text = f"{share * 100:.0f}"
        if self._width(text) < width - 2:
            painter.setPen(look[1])
            painter.drawText(part, _CENTRE, text)


def _with_inks(ground: QColor) -> tuple[QColor, QColor, QColor]:
    ink = readable(ground)
    return ground, ink, mix(ground, ink, 0.72)


def _frame(painter: QPainter, rect: QRect, ink: QColor, column: int) -> None:
    """The selection: a frame leaves the row's colour to be seen."""
    painter.setPen(QPen(ink, 2))
    painter.drawLine(rect.left(), rect.top() + 1, rect.right(), rect.top() + 1)
    painter.drawLine(rect.left(), rect.bottom(), rect.right(), rect.bottom())
    if column == 0:
        painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), ink)
