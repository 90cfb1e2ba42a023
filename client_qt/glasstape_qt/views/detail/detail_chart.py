"""The chart of a detail: shows it, loads older bars and the model's inputs, and saves it as a picture."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from glasstape import Bar, Explanation, Method, Model, __version__
from glasstape.calendars import interval_length
from glasstape.prices import price_decimals
from PyQt6.QtWidgets import QFileDialog, QMessageBox

from glasstape_qt.i18n import language, tr
from glasstape_qt.state import exchange
from glasstape_qt.state.chart_preferences import FEATURE_PREFIX
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.symbol_detail import MAX_SIGNALS, SymbolDetail
from glasstape_qt.state.watch_row import instrument_name
from glasstape_qt.views.detail.detail_requests import DetailRequests
from glasstape_qt.views.detail.detail_widgets import DetailWidgets
from glasstape_qt.views.detail.explanation_text import error_text

REDRAW_S = 1.0
"""Seconds between two drawings of the whole chart while only the live price changes."""
WINDOW_METHODS = (Method.GRADIENT, Method.TREE_SHAP, Method.OCCLUSION)
"""Methods that the input windows are requested with; the first that the model serves: cheap ones first."""


class DetailChart:
    """Chart and toolbar of one detail. All widgets are those of the detail."""

    def __init__(
        self, widgets: DetailWidgets, detail: SymbolDetail, requests: DetailRequests, store: SignalStore
    ) -> None:
        self._widgets, self._detail, self._requests, self._store = widgets, detail, requests, store
        self._drawn_at = 0.0
        """Monotonic second at which the whole chart was drawn last."""
        self._exhausted = False
        """Whether the server has no older bars."""
        widgets.chart.older_wanted.connect(self._request_older)
        widgets.chart_toolbar.features_wanted.connect(self.request_features)
        widgets.chart_toolbar.picture_wanted.connect(self.save_dialog)

    def refresh(self, model: Model | None) -> None:
        """Show bars, signals and the forming bar again."""
        instrument = self._store.instrument(self._detail.symbol)
        self._drawn_at = self._store.now()
        self.take_quote()
        self._take_windows(self._detail.explanations)
        if model is not None:
            for feature in model.features:
                self._detail.features.setdefault(feature.name, {})
        names = [feature.name for feature in model.features] if model is not None else []
        self._widgets.chart_toolbar.set_source(self._detail.interval, names)
        zone, steps = exchange.zone(instrument), model.time_steps if model is not None else 0
        known = instrument.price_decimals is not None or instrument.tick_size is not None
        decimals = price_decimals((), instrument) if known else None
        self._widgets.chart.show_detail(self._detail, zone, steps, decimals)
        self.update_countdown()

    def show_quote(self, model: Model | None) -> None:
        """Show a new live price; studies follow once a second, so that quotes cost little."""
        self.take_quote()
        forming, now = self._detail.forming, self._store.now()
        if (
            forming is None
            or now - self._drawn_at > REDRAW_S
            or not self._widgets.chart.update_forming(forming)
        ):
            self.refresh(model)
        else:
            self.update_countdown()

    def take_quote(self) -> None:
        """Take over the live price of the symbol."""
        quote = self._store.quotes.get(self._detail.symbol)
        self._detail.forming = quote.bar if quote is not None else None

    def update_countdown(self) -> None:
        """Show the time until the current bar closes; none in a replay or while the market is closed."""
        self._widgets.chart.show_last_price(self._time_left())

    def request_features(self) -> None:
        """Request the values of the selected features that are missing, from the windows of past signals."""
        chosen = [name for name in self._widgets.chart.preferences.studies if name.startswith(FEATURE_PREFIX)]
        model = self._widgets.model
        if not chosen or model is None:
            return
        method = next((method for method in WINDOW_METHODS if method in model.methods), None)
        known = self._detail.features.get(chosen[0].removeprefix(FEATURE_PREFIX), {})
        signals = [event for event in self._detail.signals if event.model == model.ref]
        missing = [event for event in signals if event.bar_close_time not in known]
        # A window holds several bars: one signal of each run of windows is enough.
        wanted = missing[:: -max(1, model.time_steps)][:MAX_SIGNALS]
        if wanted and method is not None:
            sequences = [event.sequence for event in wanted]
            self._requests.windows(sequences, method, self._windows_received, self._features_failed)

    def caption(self) -> str:
        """Return the line below a picture: what is shown, its signal and its model."""
        shown, chart = self._detail.shown, self._widgets.chart
        instrument = self._store.instrument(self._detail.symbol)
        zone = exchange.zone(instrument)
        signal = model = digest = "-"
        if shown is not None:
            confidence = shown.signal.probabilities
            signal = tr(
                "chart.picture_signal",
                sequence=shown.sequence,
                bar=exchange.in_market_time(shown.bar_close_time, zone),
                direction=tr(f"direction.{confidence.direction.name.lower()}"),
                winning=f"{confidence.winning:.1%}",
            )
            model, digest = f"{shown.model.name}@{shown.model.version}", shown.model.digest[:12]
        interval = chart.frame or self._detail.interval
        name = instrument_name(instrument, language())
        return tr(
            "chart.picture_caption", symbol=self._detail.symbol, name=name, interval=interval, signal=signal,
            model=model, digest=digest, version=__version__,
        )  # fmt: skip

    def save_dialog(self) -> None:
        """Let the user select a file, then write the picture."""
        files = "PNG (*.png);;SVG (*.svg)"
        default = f"{self._detail.symbol.replace('/', '-')}.png"
        name, selected = QFileDialog.getSaveFileName(self._widgets, tr("chart.picture_title"), default, files)
        if not name:
            return
        path = Path(name)
        if path.suffix.lower() not in (".png", ".svg"):
            path = path.with_name(path.name + (".svg" if "svg" in selected else ".png"))
        try:
            self._widgets.chart.save_picture(path, self.caption())
        except OSError as error:
            text = tr("file.not_written", error=error)
            QMessageBox.warning(self._widgets, tr("chart.picture_title"), text)

    def _request_older(self) -> None:
        bars = self._detail.recent_bars
        if self._exhausted or not bars or self._detail.bars is not bars:
            return
        self._requests.older_bars(
            self._detail.symbol,
            self._detail.interval,
            bars[0].close_time,
            self._older_received,
            self._older_failed,
        )

    def _older_received(self, bars: list[Bar]) -> None:
        self._exhausted = self._detail.add_older(bars) == 0
        self._widgets.chart.refresh()

    def _older_failed(self, error: Exception) -> None:
        self._widgets.show_notice(tr("chart.older_failed", error=error_text(error)))

    def _windows_received(self, explanations: list[Explanation]) -> None:
        self._take_windows(explanations)
        self._widgets.chart.refresh()

    def _features_failed(self, error: Exception) -> None:
        self._widgets.show_notice(tr("chart.features_failed", error=error_text(error)))

    def _take_windows(self, explanations: Sequence[Explanation]) -> None:
        for explanation in explanations:
            reference = explanation.model
            model = self._store.models.get(reference.digest) if reference is not None else None
            if model is None or explanation.window is None or explanation.error is not None:
                continue
            for number, feature in enumerate(model.features):
                values = self._detail.features.setdefault(feature.name, {})
                column = explanation.window[:, number]
                values.update(zip(explanation.bar_close_times, map(float, column), strict=False))

    def _time_left(self) -> timedelta | None:
        connection, bars = self._store.connection, self._detail.recent_bars
        if connection.replay or not connection.fresh or not bars:
            return None
        forming, now = self._detail.forming, connection.market_now()
        length = interval_length(self._detail.interval)
        close = forming.close_time if forming is not None else bars[-1].close_time + length
        return close - now if timedelta() < close - now <= length else None
