"""Selection of windows: model, symbol, period and predicted class."""

from glasstape import Direction
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QPushButton, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.state.importance_query import PERIODS, VALIDATION, ImportanceQuery
from glasstape_qt.state.signal_store import SignalStore


class ImportanceFilters(QWidget):
    """Choices of the importance page."""

    changed = pyqtSignal()
    """The user has changed a choice, or wants the same again."""

    def __init__(self, store: SignalStore) -> None:
        super().__init__()
        self._store = store
        self._model, self._symbol, self._period, self._call = (QComboBox() for _ in range(4))
        self._compared, self._permutation = QCheckBox(), QCheckBox()
        self.reload = QPushButton()
        names = ("Model", "Symbol", "Period", "Call", "Compared", "Permutation", "Reload")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for place, (name, widget) in enumerate(zip(names, self._widgets(), strict=True)):
            widget.setObjectName(f"importance{name}")
            layout.addWidget(widget, place // 4, place % 4)
        for choice in (self._model, self._symbol, self._period, self._call):
            choice.currentIndexChanged.connect(self._emit)
        for box in (self._compared, self._permutation):
            box.toggled.connect(self._emit)
        self.reload.clicked.connect(self._emit)

    @property
    def query(self) -> ImportanceQuery:
        """What is selected."""
        return ImportanceQuery(
            model=self._model.currentData() or "",
            symbol=self._symbol.currentData() or "",
            direction=self._call.currentData() or "",
            days=int(self._period.currentData() or PERIODS[0]),
            compared=self._compared.isChecked(),
            permutation=self._permutation.isChecked(),
        )

    def restyle(self) -> None:
        """Apply the language."""
        self.reload.setText(tr("importance.reload"))
        self._compared.setText(tr("importance.compared"))
        self._permutation.setText(tr("importance.permutation"))
        self._permutation.setToolTip(tr("importance.permutation_help"))
        for choice, name in (
            (self._model, tr("importance.model")),
            (self._symbol, tr("importance.symbol")),
            (self._period, tr("importance.period")),
            (self._call, tr("importance.call")),
        ):
            choice.setAccessibleName(name)
            choice.setToolTip(name)
        self.refresh()

    def refresh(self) -> None:
        """Offer the store's models and symbols, keeping the selection."""
        models = sorted(f"{model.ref.name}@{model.ref.version}" for model in self._store.models.values())
        classes = [direction.name.lower() for direction in reversed(Direction)]
        _fill(self._model, [("", tr("importance.active")), *((name, name) for name in models)])
        _fill(self._symbol, [("", tr("importance.all_symbols")), *((s, s) for s in sorted(self._store.rows))])
        _fill(self._period, [(days, _period(days)) for days in PERIODS])
        _fill(self._call, [("", tr("importance.all_calls")), *((name, _call(name)) for name in classes)])
        self._compared.setEnabled(self.query.can_compare)

    def _widgets(self) -> tuple[QWidget, ...]:
        choices = (self._model, self._symbol, self._period, self._call)
        return (*choices, self._compared, self._permutation, self.reload)

    def _emit(self) -> None:
        self._compared.setEnabled(self.query.can_compare)
        self.changed.emit()


def _period(days: int) -> str:
    return tr("importance.validation") if days == VALIDATION else tr("importance.days", days=days)


def _call(name: str) -> str:
    return tr("importance.calls", direction=tr(f"direction.{name}"))


def _fill(choice: QComboBox, items: list[tuple[str, str]] | list[tuple[int, str]]) -> None:
    """Offer (data, text) items, keeping the selection if possible."""
    known = [(choice.itemData(n), choice.itemText(n)) for n in range(choice.count())]
    if known == items:
        return
    selected = choice.currentData()
    choice.blockSignals(True)
    choice.clear()
    for data, text in items:
        choice.addItem(text, data)
    choice.setCurrentIndex(max(0, choice.findData(selected)))
    choice.blockSignals(False)
