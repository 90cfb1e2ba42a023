"""One symbol: price chart, live heat map and explanation text; or a past signal, reopened as it was."""

from glasstape import Bar, ConfidenceEvent, Event, Model
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QGuiApplication

from glasstape_qt.i18n import language, tr
from glasstape_qt.link import Link
from glasstape_qt.state import exchange
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.state.watch_row import WatchRow, instrument_name
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.detail_chart import DetailChart
from glasstape_qt.views.detail.detail_maps import DetailMaps
from glasstape_qt.views.detail.detail_requests import DetailRequests
from glasstape_qt.views.detail.detail_widgets import DetailWidgets
from glasstape_qt.views.detail.explanation_text import error_text, headline
from glasstape_qt.views.detail.python_snippet import python_snippet


class DetailView(DetailWidgets):
    """Follows one symbol of the store. The maps are the server's Explain of the shown signal's sequence."""

    title_changed = pyqtSignal(str)
    preferences_changed = pyqtSignal()
    """The user changed the chart's studies, scale, lines or notes."""

    def __init__(
        self,
        symbol: str,
        store: SignalStore,
        link: Link,
        appearance: Appearance,
        preferences: Preferences,
    ) -> None:
        super().__init__(appearance, preferences)
        self._store, self._link = store, link
        self._preferences = preferences
        self._requests = DetailRequests(link, self)
        self.destroyed.connect(self._requests.close)
        row = store.rows.get(symbol)
        self.detail = SymbolDetail(symbol, row.event.interval if row is not None else store.interval)
        self.charted = DetailChart(self, self.detail, self._requests, store)
        self.explained = DetailMaps(self, self.detail, self._requests, store, preferences)
        self._connect_signals()
        appearance.changed.connect(self.restyle)
        if row is not None:
            self.detail.add_signal(row.event)
        self.explained.fill_methods()
        self.restyle()
        self._request_history()
        self.explained.request()

    @property
    def symbol(self) -> str:
        """The symbol it shows."""
        return self.detail.symbol

    @property
    def model(self) -> Model | None:
        """The model of the signal to explain."""
        return self.explained.model

    def update_clock(self) -> None:
        """Update what depends on the clock."""
        self.charted.update_countdown()

    def restyle(self) -> None:
        """Apply theme, language and preferences."""
        super().restyle()
        self.refresh()

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
            self.explained.fill_methods()
            self.refresh()
            if self.detail.selected_signal is not before or not self.detail.maps:
                self.explained.request()
        elif outcomes:
            self.refresh()
        elif self.symbol in changes.quotes:
            self.charted.show_quote(self.model)

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
        key, clipboard = self.explained.key(), QGuiApplication.clipboard()
        if key is not None and clipboard is not None:
            zone = str(exchange.zone(self._store.instrument(self.symbol)))
            clipboard.setText(python_snippet(self._link.address, key, zone, language()))

    def _connect_signals(self) -> None:
        self.method.currentIndexChanged.connect(self.explained.select)
        self.score.currentIndexChanged.connect(self.explained.select)
        self.tabs.currentChanged.connect(self.explained.request_comparison)
        self.copy_button.clicked.connect(self.copy_as_python)
        self.live_button.clicked.connect(lambda: self.reopen(None))
        self.newest_button.clicked.connect(self._follow_newest)
        self.chart.moved.connect(lambda: self.newest_button.setVisible(not self.chart.following))
        self.chart.signal_clicked.connect(self.reopen)
        self.chart.hovered.connect(self._chart_hovered)
        self.chart.preferences_changed.connect(self.preferences_changed)
        self.maps.hovered.connect(self._map_hovered)

    def _row(self) -> WatchRow | None:
        return self._store.rows.get(self.symbol)

    def _time_steps(self) -> int:
        model = self.explained.model
        return model.time_steps if model is not None else 0

    def _request_history(self) -> None:
        row = self._row()
        now = row.event.bar_close_time if row is not None else self._store.connection.market_now()
        self._requests.history(
            self.symbol, self.detail.interval, now, self._history_received, self._history_failed
        )

    def _history_received(self, result: tuple[list[Bar], list[Event]]) -> None:
        self.detail.add_history(*result)
        self.refresh()
        self.charted.request_features()
        if not self.detail.maps:
            self.explained.request()

    def _history_failed(self, error: Exception) -> None:
        self.show_notice(tr("detail.history_failed", error=error_text(error)))

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
        self.explained.fill_methods()
        self.refresh()
        self.explained.request()

    def _past_bars_received(self, bars: list[Bar]) -> None:
        self.detail.past_bars = bars
        self.refresh()

    def _signal_received(self, event: Event | None) -> None:
        if isinstance(event, ConfidenceEvent):
            self._pin(event)
        else:
            self.show_notice(tr("detail.signal_gone"))

    def _signal_failed(self, error: Exception) -> None:
        self.show_notice(tr("detail.signal_failed", error=error_text(error)))

    def refresh(self) -> None:
        """Show headline, chart and maps again."""
        row, shown, model = self._row(), self.detail.shown, self.explained.model
        instrument = self._store.instrument(self.symbol)
        zone = exchange.zone(instrument)
        self.charted.refresh(model)
        self.confidence_plot.show_detail(self.detail, model.buy_ramp_low if model is not None else None, zone)
        pinned = self.detail.pinned is not None
        self.live_button.setVisible(pinned)
        self.newest_button.setVisible(not self.chart.following)
        if shown is not None and row is not None:
            self.headline.setText(headline(shown, row, pinned=pinned))
        else:
            self.headline.setText(tr("detail.unknown", symbol=self.symbol))
        name = instrument_name(instrument, language())
        self.title_changed.emit(self.symbol if name == self.symbol else f"{self.symbol} {name}".strip())
        self.explained.refresh()

    def _map_hovered(self, bar: int) -> None:
        window = self.detail.input_window(self._time_steps())
        self.chart.highlight(window[0] + bar if window is not None and bar >= 0 else -1)

    def _chart_hovered(self, index: int) -> None:
        window = self.detail.input_window(self._time_steps())
        inside = window is not None and window[0] <= index <= window[1]
        self.maps.highlight(index - window[0] if inside and window is not None else -1)

    def _follow_newest(self) -> None:
        self.chart.follow()
        self.newest_button.hide()


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(
        lambda context: DetailView(
            context.newest().symbol, context.store, context.link, context.appearance, context.preferences
        )
    )
