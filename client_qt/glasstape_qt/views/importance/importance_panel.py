"""The importance page: what a model looks at over many windows, and how that has changed."""

from glasstape import Importance, Model, ModelRef
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent, QTextOption
from PyQt6.QtWidgets import QComboBox, QSplitter, QTextBrowser, QVBoxLayout, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.link import Link
from glasstape_qt.state.importance_query import ImportanceQuery
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.importance.importance_filters import ImportanceFilters
from glasstape_qt.views.importance.importance_map import FIGURES, ImportanceMap, estimate_of
from glasstape_qt.views.importance.importance_text import empty_text, importance_html


class ImportancePanel(QWidget):
    """Shows mean importance per feature and bar; requests nothing while hidden."""

    def __init__(self, store: SignalStore, link: Link, appearance: Appearance) -> None:
        super().__init__()
        self.setObjectName("importancePanel")
        self._store, self._link = store, link
        self._importance: Importance | None = None
        self._message = ""
        self._requested: ImportanceQuery | None = None
        """The newest request; answers to older ones are dropped."""
        self._outdated = True
        self._filters = ImportanceFilters(store)
        self._filters.changed.connect(self.load)
        self._figure = QComboBox()
        self._figure.setObjectName("importanceFigure")
        self._figure.currentIndexChanged.connect(self._show)
        self._map = ImportanceMap(appearance)
        self._text = QTextBrowser()
        self._text.setObjectName("importanceText")
        self._text.setWordWrapMode(QTextOption.WrapMode.WordWrap)  # never within a number
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        for part in (self._map, self._text):
            split.addWidget(part)
        split.setSizes([300, 320])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._filters)
        layout.addWidget(self._figure)
        layout.addWidget(split, 1)
        appearance.changed.connect(self.restyle)
        link.changed.connect(self.apply_changes)
        self.restyle()

    @property
    def map(self) -> ImportanceMap:
        """The heat map."""
        return self._map

    def restyle(self) -> None:
        """Apply the language."""
        self._figure.setAccessibleName(tr("importance.shown"))
        self._text.setAccessibleName(tr("importance.record"))
        self._filters.restyle()
        self._show()

    def apply_changes(self, changes: StoreChanges) -> None:
        """Forget the figures of a history that has ended; offer new symbols and models."""
        if changes.reset:
            self._importance, self._message, self._requested, self._outdated = None, "", None, True
        if self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Show the store's symbols and models; request the figures if they were not yet."""
        self._filters.refresh()
        if self._outdated and self._store.model is not None:
            self.load()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Request the figures when first shown."""
        super().showEvent(event)
        self.refresh()

    def load(self) -> None:
        """Request the figures of the selected windows."""
        query = self._filters.query
        self._outdated, self._requested = False, query
        self._importance, self._message = None, tr("importance.waiting")
        self._show()
        self._link.request(
            "importance",
            query.run,
            lambda importance: self._received(query, importance),
            lambda error: self._failed(query, error),
        )

    def _received(self, query: ImportanceQuery, importance: Importance) -> None:
        if query is self._requested:
            self._importance, self._message = importance, ""
            self._show()

    def _failed(self, query: ImportanceQuery, error: Exception) -> None:
        if query is self._requested:
            self._importance, self._message = None, tr("importance.failed", error=error)
            self._show()

    def _show(self) -> None:
        importance = self._importance
        model = _model_of(importance.model, self._store) if importance is not None else None
        if importance is None or not importance.parts or model is None:
            message = self._message if importance is None else empty_text(importance)
            self._figure.hide()
            self._map.show_content(None, message or tr("importance.no_model"))
            self._text.setPlainText("")
            return
        self._fill_figures(importance)
        self._figure.show()
        self._map.show_importance(importance, model, self._figure.currentData())
        self._text.setHtml(importance_html(importance))

    def _fill_figures(self, importance: Importance) -> None:
        """Offer the figures that were measured, keeping the selection if possible."""
        first, selected = importance.features[0], self._figure.currentData()
        measured = [figure for figure in FIGURES if estimate_of(first, figure) is not None]
        self._figure.blockSignals(True)
        self._figure.clear()
        for figure in measured:
            self._figure.addItem(tr(f"importance.map.{figure}"), figure)
        self._figure.setCurrentIndex(max(0, self._figure.findData(selected)))
        self._figure.blockSignals(False)


def _model_of(reference: ModelRef, store: SignalStore) -> Model | None:
    return store.models.get(reference.digest)


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(lambda context: ImportancePanel(context.store, context.link, context.appearance))
