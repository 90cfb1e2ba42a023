"""Paints the cells of the watch table: row color, confidence bar and text."""

from functools import partial

from glasstape import Direction
from PyQt6.QtCore import QModelIndex, QPointF, QRect, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from glasstape_qt.models.watch_columns import COLUMNS, RIGHT_ALIGNED
from glasstape_qt.models.watch_model import WatchModel
from glasstape_qt.state.watch_row import WatchRow
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.theme.colors import mix, readable

FLASH_S = 0.9
"""Seconds that a row flashes after its class changed."""
MARGIN = 6
STRIP_WIDTH = 5
"""Pixels at the left of a row that have its color, if not the whole row has."""
STALE_STRENGTH = 0.4
"""Share of the color strength that remains while rows may be stale."""
SHADES = 200
"""Steps of the ramp."""
MAX_CACHED_WIDTHS = 20_000
"""Texts whose widths are cached."""
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_CENTER = int(Qt.AlignmentFlag.AlignCenter)


class WatchDelegate(QStyledItemDelegate):
    """Paints without style sheets and background roles, from cached colors: it is called for every event."""

    def __init__(self, model: WatchModel, appearance: Appearance, table: QWidget) -> None:
        super().__init__(table)
        self._model, self._appearance, self._table = model, appearance, table
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and size: drop cached colors and text widths."""
        self._metrics = QFontMetrics(self._table.font())
        self._widths: dict[str, int] = {}
        self._row_colors: dict[tuple[int, int], tuple[QColor, QColor, QColor]] = {}
        theme, colors = self._appearance.theme, self._appearance.colors
        self._base = QColor(theme.base)
        self._segment_colors: dict[tuple[Direction, bool], tuple[QColor, QColor]] = {}
        for direction in Direction:
            full = colors.of(direction)
            faint = mix(self._base, full, 0.55)
            self._segment_colors[direction, True] = (full, readable(full))
            self._segment_colors[direction, False] = (faint, readable(faint))

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint one cell."""
        number = index.row()
        if painter is None or number >= len(self._model.symbols):
            return
        symbol, column, rect = self._model.symbols[number], COLUMNS[index.column()], option.rect
        row = self._model.row(number)
        background, text_color, faded = self._colors(row, number)
        if self._appearance.row_color != "row":
            plain = QColor(self._plain(number))
            text_color, faded = _with_text_colors(plain)[1:]
        self._paint_background(painter, rect, background, number, index.column())
        if row is None or self._is_faded(row):
            text_color = faded
        if column == "price":
            self._paint_price_flash(painter, rect, symbol, text_color)
        if column == "confidence" and row is not None:
            self._paint_bar(painter, rect, row)
        elif column == "trend":
            self._paint_trend(painter, rect, symbol, text_color)
        else:
            self._paint_text(painter, rect, self._model.cells.text(symbol, column), column, text_color)
        if option.state & QStyle.StateFlag.State_Selected:
            _paint_selection(painter, rect, text_color, index.column())

    def _paint_background(
        self, painter: QPainter, rect: QRect, color: QColor, number: int, column: int
    ) -> None:
        """Fill a cell with the row's color, or its edge alone; with neither, only the bar shows the confidences."""
        if self._appearance.row_color == "row":
            painter.fillRect(rect, color)
            return
        painter.fillRect(rect, QColor(self._plain(number)))
        if self._appearance.row_color == "strip" and column == 0:
            painter.fillRect(QRect(rect.left(), rect.top(), STRIP_WIDTH, rect.height()), color)

    def _plain(self, number: int) -> str:
        return self._appearance.theme.alternate if number % 2 else self._appearance.theme.base

    def _is_faded(self, row: WatchRow) -> bool:
        expired = row.event.signal.expire_time <= self._model.cells.market_now
        return row.old or expired or not self._model.cells.fresh

    def _paint_text(self, painter: QPainter, rect: QRect, text: str, column: str, color: QColor) -> None:
        painter.setPen(color)
        inner = rect.adjusted(MARGIN, 0, -MARGIN, 0)
        if self._width(text) > inner.width():
            text = self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, _RIGHT if column in RIGHT_ALIGNED else _LEFT, text)

    def _paint_trend(self, painter: QPainter, rect: QRect, symbol: str, color: QColor) -> None:
        """Paint the newest closes as a line."""
        quote = self._model.store.quotes.get(symbol)
        closes = self._model.store.figures.recent_bars(symbol).closes(
            quote.bar if quote is not None else None
        )
        if len(closes) < 2:
            return
        area = QRectF(rect.adjusted(MARGIN, 3, -MARGIN, -4))
        low, span = min(closes), (max(closes) - min(closes)) or 1.0
        step = area.width() / (len(closes) - 1)
        points = [
            QPointF(area.left() + number * step, area.bottom() - (close - low) / span * area.height())
            for number, close in enumerate(closes)
        ]
        painter.setPen(QPen(color, 1.2))
        painter.drawPolyline(*points)

    def _paint_price_flash(self, painter: QPainter, rect: QRect, symbol: str, color: QColor) -> None:
        """Underline a price that has just moved: thick at its right half for up, at its left half for down."""
        quote = self._model.store.quotes.get(symbol)
        if quote is None or not quote.moved or not self._appearance.motion:
            return
        left = 1 - (self._model.store.now() - quote.moved_at) / FLASH_S
        if left > 0:
            line = QColor(color)
            line.setAlphaF(min(1.0, left))
            half = rect.width() // 2
            start = rect.left() + (half if quote.moved > 0 else 0)
            painter.fillRect(QRect(start, rect.bottom() - 2, half, 2), line)

    def background(self, row: WatchRow, number: int) -> QColor:
        """Return a row's background: the ramp of the buy confidence, mixed with the flash while it lasts."""
        return self._colors(row, number)[0]

    def _colors(self, row: WatchRow | None, number: int) -> tuple[QColor, QColor, QColor]:
        """Return background, text and faded text color."""
        strength = 0.0
        if row is not None and not row.old:
            strength = row.strength() * (1.0 if self._model.cells.fresh else STALE_STRENGTH)
        key = (round(strength * SHADES), number % 2)
        colors = self._row_colors.get(key)
        if colors is None:
            theme = self._appearance.theme
            base = theme.alternate if number % 2 else theme.base
            ramp = self._appearance.colors.ramp(key[0] / SHADES, base)
            colors = self._row_colors[key] = _with_text_colors(ramp)
        if row is not None and row.flashed and self._appearance.motion:
            left = 1 - (self._model.store.now() - row.flashed) / FLASH_S
            if left > 0:
                return _with_text_colors(mix(colors[0], QColor(self._appearance.theme.flash), 0.6 * left))
        return colors

    def _width(self, text: str) -> int:
        width = self._widths.get(text)
        if width is None:
            if len(self._widths) > MAX_CACHED_WIDTHS:
                self._widths.clear()
            width = self._widths[text] = self._metrics.horizontalAdvance(text)
        return width

    def _paint_bar(self, painter: QPainter, rect: QRect, row: WatchRow) -> None:
        confidence = row.event.signal.probabilities
        winner, colors = confidence.direction, self._segment_colors
        edge = max(1, rect.height() // 8)
        area = rect.adjusted(MARGIN, edge, -MARGIN, -edge)
        # On the theme's own background, so that the bar's colors are the same in every row.
        painter.fillRect(area.adjusted(-1, -1, 1, 1), self._base)
        segment = partial(self._paint_segment, painter, area.top(), area.height())
        left, width = area.left(), area.width()
        down, flat = round(width * confidence.down), round(width * confidence.flat)
        segment(left, down - 1, confidence.down, colors[Direction.DOWN, winner is Direction.DOWN])
        segment(left + down, flat - 1, confidence.flat, colors[Direction.FLAT, winner is Direction.FLAT])
        rest = width - down - flat
        segment(left + down + flat, rest, confidence.up, colors[Direction.UP, winner is Direction.UP])

    def _paint_segment(
        self,
        painter: QPainter,
        top: int,
        height: int,
        left: int,
        width: int,
        share: float,
        colors: tuple[QColor, QColor],
    ) -> None:
        rect = QRect(left, top, width, height)
        painter.fillRect(rect, colors[0])
        text = f"{share * 100:.0f}"
        if self._width(text) < width - 2:
            painter.setPen(colors[1])
            painter.drawText(rect, _CENTER, text)


def _with_text_colors(background: QColor) -> tuple[QColor, QColor, QColor]:
    text = readable(background)
    return background, text, mix(background, text, 0.72)


def _paint_selection(painter: QPainter, rect: QRect, color: QColor, column: int) -> None:
    """Paint the selection as a frame, which leaves the row's color visible."""
    painter.setPen(QPen(color, 2))
    painter.drawLine(rect.left(), rect.top() + 1, rect.right(), rect.top() + 1)
    painter.drawLine(rect.left(), rect.bottom(), rect.right(), rect.bottom())
    if column == 0:
        painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), color)
