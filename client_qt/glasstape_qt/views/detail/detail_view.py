"""One symbol: price chart, live heat map and explanation text; or a past signal, reopened as it was."""

from glasstape import Bar, ConfidenceEvent, Event, Explanation, Method, Model
from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtGui import QGuiApplication

from glasstape_qt.i18n import language, tr
from glasstape_qt.link import Link
from glasstape_qt.state import exchange
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore, StoreChanges
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.state.watch_row import WatchRow
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.detail_requests import DetailRequests, ExplanationKey
from glasstape_qt.views.detail.detail_widgets import DetailWidgets
from glasstape_qt.views.detail.explanation_text import explanation_html, headline
from glasstape_qt.views.detail.heatmap_content import HeatmapContent, content_of, model_of
from glasstape_qt.views.detail.python_snippet import python_snippet

CHECKS_DELAY_MS = 500
"""Time without a newer signal after which the slow quality checks are requested."""


class DetailView(DetailWidgets):
    """Follows one symbol of the store. The map is the server's Explain of the shown signal's sequence."""

    title_changed = pyqtSignal(str)

    def __init__(
        self,
        symbol: str,
        store: SignalStore,
        link: Link,
        appearance: Appearance,
        preferences: Preferences,
    ) -> None:
        super().__init__(appearance, preferences.score)
        self._store, self._link = store, link
        self._preferences = preferences
        self._requests = DetailRequests(link, self)
        self.destroyed.connect(self._requests.close)
        self.detail = SymbolDetail(symbol, store.rows[symbol].event.interval)
        self._connect_signals()
        self._checks_timer = QTimer(self)
        self._checks_timer.setSingleShot(True)
        self._checks_timer.setInterval(CHECKS_DELAY_MS)
        self._checks_timer.timeout.connect(self._request_checks)
        appearance.changed.connect(self.restyle)
        self.detail.add_signal(store.rows[symbol].event)
        self._fill_methods()
        self.restyle()
        self._request_history()
        self._request_map()

    @property
    def symbol(self) -> str:
        """The symbol it shows."""
        return self.detail.symbol

    def restyle(self) -> None:
        """Apply theme, language and preferences."""
        super().restyle()
        self._refresh()

    def apply_changes(self, changes: StoreChanges) -> None:
        """Show what changed in the store."""
        if changes.reset:
            self._requests.close()
            self.detail.clear()
            self._request_history()
        outcomes = [outcome for outcome in changes.outcomes if outcome.symbol == self.symbol]
        for outcome in outcomes:
            self.detail.add_outcome(outcome)
        if self.symbol in changes.rows and self.symbol in self._store.rows:
            before = self.detail.selected_signal
            self.detail.add_signal(self._store.rows[self.symbol].event)
            self._fill_methods()
            self._refresh()
            if self.detail.selected_signal is not before or self.detail.explanation is None:
                self._request_map()
        elif outcomes:
            self._refresh()

    def reopen(self, sequence: int | None) -> None:
        """Show a past signal as it was; None follows the newest again."""
        known = self.detail.signal(sequence) if sequence is not None else None
        if sequence is None or known is not None:
            self._pin(known)
        else:
            self._requests.signal(self.symbol, sequence, self._signal_received, self._signal_failed)

    def compare(self) -> None:
        """Show every method side by side."""
        self.tabs.setCurrentWidget(self.comparison)

    def copy_as_python(self) -> None:
        """Copy a program that computes the shown explanation."""
        key, clipboard = self._key(), QGuiApplication.clipboard()
        if key is not None and clipboard is not None:
            clipboard.setText(python_snippet(self._link.address, key))

    def _connect_signals(self) -> None:
        self.method.currentIndexChanged.connect(self._selection_changed)
        self.score.currentIndexChanged.connect(self._selection_changed)
        self.tabs.currentChanged.connect(self._request_comparison)
        self.copy_button.clicked.connect(self.copy_as_python)
        self.live_button.clicked.connect(lambda: self.reopen(None))
        self.newest_button.clicked.connect(self._follow_newest)
        self.chart.moved.connect(lambda: self.newest_button.setVisible(not self.chart.following))
        self.chart.signal_clicked.connect(self.reopen)
        self.chart.hovered.connect(self._chart_hovered)
        self.heatmap_view.hovered.connect(self._map_hovered)

    def _row(self) -> WatchRow | None:
        return self._store.rows.get(self.symbol)

    def _model(self) -> Model | None:
        """Return the model of the signal to explain, which need not be the active one."""
        selected = self.detail.selected_signal
        return self._store.models.get(selected.model.digest) if selected is not None else None

    def _time_steps(self) -> int:
        model = self._model()
        return model.time_steps if model is not None else 0

    def _key(self) -> ExplanationKey | None:
        selected, method = self.detail.selected_signal, self.method.currentData()
        if selected is None or not method:
            return None
        return ExplanationKey(selected.sequence, method, self.score.currentData())

    def _fill_methods(self) -> None:
        self.set_methods(_map_methods(self._model()), self._preferences.method)

    def _request_history(self) -> None:
        row = self._row()
        if row is not None:
            now = row.event.bar_close_time
            self._requests.history(
                self.symbol, self.detail.interval, now, self._history_received, self._history_failed
            )

    def _history_received(self, result: tuple[list[Bar], list[Event]]) -> None:
        self.detail.add_history(*result)
        self._refresh()
        if self.detail.explanation is None:
            self._request_map()

    def _history_failed(self, error: Exception) -> None:
        self.show_notice(tr("detail.history_failed", error=_message(error)))

    def _pin(self, event: ConfidenceEvent | None) -> None:
        self.detail.pin(event)
        self.show_notice("")
        if event is not None and not self.detail.has_bar_of(event):
            self._requests.past_bars(
                self.symbol,
                self.detail.interval,
                event.bar_close_time,
                self._past_bars_received,
                self._history_failed,
            )
        self._fill_methods()
        self._refresh()
        self._request_map()

    def _past_bars_received(self, bars: list[Bar]) -> None:
        self.detail.past_bars = bars
        self._refresh()

    def _signal_received(self, event: Event | None) -> None:
        if isinstance(event, ConfidenceEvent):
            self._pin(event)
        else:
            self.show_notice(tr("detail.signal_gone"))

    def _signal_failed(self, error: Exception) -> None:
        self.show_notice(tr("detail.signal_failed", error=_message(error)))

    def _selection_changed(self) -> None:
        self._preferences.method = self.method.currentData() or self._preferences.method
        self._preferences.score = self.score.currentData()
        self.detail.clear_explanation()
        self._request_map()

    def _request_map(self) -> None:
        key = self._key()
        if self.detail.explanation is None:
            waiting = key is not None or self._model() is None
            self.heatmap_view.show_content(None, tr("heatmap.waiting" if waiting else "heatmap.no_method"))
            self.text_view.setHtml("")
        if key is None:
            return
        self._checks_timer.start()
        self._requests.heatmap(key, self._map_received, self._map_failed)
        self._request_comparison()

    def _map_received(self, explanation: Explanation) -> None:
        if explanation.error is not None:
            self._map_failed(explanation.error)
            return
        self.detail.explanation, self.detail.explained_signal = explanation, self.detail.selected_signal
        self.detail.counterfactual = None
        self._store.color_scale.add(explanation)
        self._refresh()

    def _map_failed(self, error: Exception) -> None:
        self.detail.clear_explanation()
        self._refresh()
        self.heatmap_view.show_content(None, tr("heatmap.failed", error=_message(error)))
        self.text_view.setHtml("")

    def _request_checks(self) -> None:
        key, model = self._key(), self._model()
        if key is not None and model is not None and self.detail.explanation is not None:
            counterfactual = Method.COUNTERFACTUAL in model.methods
            self._requests.checks(key, counterfactual, self._checks_received, self._checks_failed)

    def _checks_received(self, result: tuple[Explanation, Explanation | None]) -> None:
        explanation, counterfactual = result
        if explanation.heatmap is not None:
            self.detail.explanation, self.detail.counterfactual = explanation, counterfactual
            self._refresh_map()

    def _checks_failed(self, error: Exception) -> None:
        self.show_notice(tr("detail.checks_failed", error=_message(error)))

    def _request_comparison(self) -> None:
        selected, model = self.detail.selected_signal, self._model()
        if self.tabs.currentWidget() is self.comparison and selected is not None and model is not None:
            methods, score = _map_methods(model), self.score.currentData()
            self.comparison.set_methods(methods)
            self._requests.comparison(
                selected.sequence, methods, score, self._comparison_received, self._comparison_failed
            )

    def _comparison_received(self, method: Method, explanation: Explanation) -> None:
        model = model_of(explanation, self._store)
        if model is not None and explanation.heatmap is not None:
            full = explanation.heatmap.full_color
            self.comparison.show_map(method, HeatmapContent(explanation, model, full_value=full))

    def _comparison_failed(self, method: Method, error: Exception) -> None:
        self.comparison.show_error(method, _message(error))

    def _refresh(self) -> None:
        row, shown, model = self._row(), self.detail.shown, self._model()
        if row is None:
            return
        zone = exchange.zone(row.instrument)
        self.chart.show_detail(self.detail, zone, self._time_steps(), row.decimals())
        self.confidence_plot.show_detail(self.detail, model.buy_ramp_low if model is not None else None, zone)
        pinned = self.detail.pinned is not None
        self.live_button.setVisible(pinned)
        self.newest_button.setVisible(not self.chart.following)
        if shown is not None:
            self.headline.setText(headline(shown, row, pinned=pinned))
        name = row.name(language())
        self.title_changed.emit(self.symbol if name == self.symbol else f"{self.symbol} {name}".strip())
        self._refresh_map()

    def _refresh_map(self) -> None:
        explanation, shared = self.detail.explanation, self._preferences.shared_scale
        content = content_of(explanation, self.detail, self._store, shared_scale=shared)
        if content is not None:
            self.heatmap_view.show_content(content)
            self.text_view.setHtml(explanation_html(explanation, self.detail.counterfactual, content.zone))

    def _map_hovered(self, bar: int) -> None:
        window = self.detail.input_window(self._time_steps())
        self.chart.highlight(window[0] + bar if window is not None and bar >= 0 else -1)

    def _chart_hovered(self, index: int) -> None:
        window = self.detail.input_window(self._time_steps())
        inside = window is not None and window[0] <= index <= window[1]
        self.heatmap_view.highlight(index - window[0] if inside and window is not None else -1)

    def _follow_newest(self) -> None:
        self.chart.follow()
        self.newest_button.hide()


def _map_methods(model: Model | None) -> list[Method]:
    return [m for m in model.methods if m is not Method.COUNTERFACTUAL] if model is not None else []


def _message(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(
        lambda context: DetailView(
            context.newest().symbol, context.store, context.link, context.appearance, context.preferences
        )
    )
