"""A layout that places widgets side by side and continues on the next line where the width ends."""

from PyQt6.QtCore import QPoint, QRect, QSize, Qt
from PyQt6.QtWidgets import QLayout, QLayoutItem, QWidget

GAP = 6


class FlowLayout(QLayout):
    """Lines of widgets. In each line, widgets that expand share the width that the others leave."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem | None) -> None:
        """Add an item at the end."""
        if item is not None:
            self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item; None if there is no such item."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove and return an item; None if there is no such item."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Return that it takes more width, not more height."""
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        """Return True: the number of lines depends on the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines at a width."""
        heights = [max(item.sizeHint().height() for item in line) for line in self._lines(width)]
        return sum(heights) + GAP * max(0, len(heights) - 1)

    def sizeHint(self) -> QSize:
        """Return the size of one line."""
        hints = [item.sizeHint() for item in self._shown()]
        width = sum(hint.width() + GAP for hint in hints) - GAP
        return QSize(max(0, width), max((hint.height() for hint in hints), default=0))

    def minimumSize(self) -> QSize:
        """Return the width of the widest item, and the height of all lines at the present width."""
        sizes = [item.minimumSize() for item in self._shown()]
        width = max((size.width() for size in sizes), default=0)
        placed = self.geometry().width()
        return QSize(width, self.heightForWidth(placed) if placed > 0 else self.sizeHint().height())

    def setGeometry(self, rect: QRect) -> None:
        """Place the widgets."""
        super().setGeometry(rect)
        top = rect.top()
        for line in self._lines(rect.width()):
            height = max(item.sizeHint().height() for item in line)
            self._place(line, QRect(rect.left(), top, rect.width(), height))
            top += height + GAP

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = []
        used = 0
        for item in self._shown():
            needed = _least_width(item)
            if not lines or used + GAP + needed > width:
                lines.append([])
                used = -GAP
            lines[-1].append(item)
            used += GAP + needed
        return lines

    def _place(self, line: list[QLayoutItem], area: QRect) -> None:
        widths = [_least_width(item) for item in line]
        rest = area.width() - sum(widths) - GAP * (len(line) - 1)
        growing = [n for n, item in enumerate(line) if _expands(item)]
        for number in growing:
            widths[number] += max(0, rest) // len(growing)
        left = area.left()
        for item, width in zip(line, widths, strict=True):
            height = min(area.height(), item.sizeHint().height())
            place = QPoint(left, area.top() + (area.height() - height) // 2)
            item.setGeometry(QRect(place, QSize(min(width, area.width()), height)))
            left += width + GAP


def _expands(item: QLayoutItem) -> bool:
    return bool(item.expandingDirections() & Qt.Orientation.Horizontal)


def _least_width(item: QLayoutItem) -> int:
    return item.minimumSize().width() if _expands(item) else item.sizeHint().width()
