"""The maps of a detail: requests them, and shows them with their text and the comparison of methods."""

from collections.abc import Sequence

from glasstape import Explanation, Method, Model
from PyQt6.QtCore import QTimer

from glasstape_qt.i18n import tr
from glasstape_qt.state.preferences import BOTH_MAPS, Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.symbol_detail import SignalMap, SymbolDetail
from glasstape_qt.views.detail.detail_requests import DetailRequests, ExplanationKey
from glasstape_qt.views.detail.detail_widgets import DetailWidgets
from glasstape_qt.views.detail.explanation_text import error_text, explanation_html
from glasstape_qt.views.detail.heatmap_content import HeatmapContent, content_of, model_of

CHECKS_DELAY_MS = 500
"""Time without a newer signal after which the slow quality checks are requested."""
TWO_METHODS = (Method.SCALED_PATH_GRADIENT, Method.INTEGRATED_GRADIENTS)
"""Importance, and contributions, which shares and sentences are taken from."""


class DetailMaps:
    """Maps of the signal that a detail has selected. All widgets are those of the detail."""

    def __init__(
        self,
        widgets: DetailWidgets,
        detail: SymbolDetail,
        requests: DetailRequests,
        store: SignalStore,
        preferences: Preferences,
    ) -> None:
        self._widgets, self._detail, self._requests = widgets, detail, requests
        self._store, self._preferences = store, preferences
        self._checks_timer = QTimer(widgets)
        self._checks_timer.setSingleShot(True)
        self._checks_timer.setInterval(CHECKS_DELAY_MS)
        self._checks_timer.timeout.connect(self._request_checks)

    @property
    def model(self) -> Model | None:
        """The model of the signal to explain, which need not be the active one."""
        selected = self._detail.selected_signal
        return self._store.models.get(selected.model.digest) if selected is not None else None

    def key(self) -> ExplanationKey | None:
        """Return what is selected; None without a signal or a method."""
        selected, methods = self._detail.selected_signal, self._methods()
        if selected is None or not methods:
            return None
        return ExplanationKey(selected.sequence, methods, self._widgets.score.currentData())

    def fill_methods(self) -> None:
        """Offer the methods of the signal's model, first of all the two maps that are shown side by side."""
        methods = _map_methods(self.model)
        values = [method.value for method in methods]
        if any(method in methods for method in TWO_METHODS):
            values.insert(0, BOTH_MAPS)
        self._widgets.set_methods(values, self._preferences.method)

    def select(self) -> None:
        """Show the maps of the newly selected method and score."""
        self._preferences.method = self._widgets.method.currentData() or self._preferences.method
        self._preferences.score = self._widgets.score.currentData()
        self._detail.clear_explanation()
        self.request()

    def request(self) -> None:
        """Request the maps of the selected signal; those on the screen stay until they arrive."""
        key = self.key()
        if not self._detail.maps:
            waiting = key is not None or self.model is None
            self._show_message(tr("heatmap.waiting" if waiting else "heatmap.no_method"))
        if key is None:
            return
        self._checks_timer.start()
        self._requests.heatmaps(key, self._received, self._failed)
        self.request_comparison()

    def request_comparison(self) -> None:
        """Request the map of every method, if they are on the screen."""
        selected, model, comparison = self._detail.selected_signal, self.model, self._widgets.comparison
        if self._widgets.tabs.currentWidget() is comparison and selected is not None and model is not None:
            methods, score = _map_methods(model), self._widgets.score.currentData()
            comparison.set_methods(methods)
            self._requests.comparison(
                selected.sequence, methods, score, self._comparison_received, self._comparison_failed
            )

    def refresh(self) -> None:
        """Show the maps again, with their text."""
        contents = [self._content(shown) for shown in self._detail.maps]
        shown = [content for content in contents if isinstance(content, HeatmapContent)]
        worded = self._detail.worded
        if not shown or worded is None:
            return
        self._widgets.maps.show_maps(*contents)
        explanations, counterfactual = self._detail.explanations, self._detail.counterfactual
        text = explanation_html(worded, explanations, counterfactual, shown[0].zone)
        self._widgets.text_view.setHtml(text)

    def _methods(self) -> tuple[Method, ...]:
        """Return the selected methods that the model serves."""
        selected = self._widgets.method.currentData()
        if not selected:
            return ()
        if selected != BOTH_MAPS:
            return (Method(selected),)
        return tuple(method for method in TWO_METHODS if method in _map_methods(self.model))

    def _content(self, shown: SignalMap) -> HeatmapContent | str:
        if shown.error is not None:
            return tr("heatmap.failed", error=error_text(shown.error))
        shared = self._preferences.shared_scale
        content = content_of(shown.explanation, self._detail, self._store, shared_scale=shared)
        return content if content is not None else tr("heatmap.waiting")

    def _show_message(self, text: str) -> None:
        self._widgets.maps.show_maps(text)
        self._widgets.text_view.setHtml("")

    def _received(self, maps: tuple[SignalMap, ...]) -> None:
        self._detail.maps, self._detail.explained_signal = maps, self._detail.selected_signal
        self._detail.counterfactual = None
        for explanation in self._detail.explanations:
            self._store.color_scale.add(explanation)
        self._widgets.refresh()

    def _failed(self, error: Exception) -> None:
        self._detail.clear_explanation()
        self._widgets.refresh()
        self._show_message(tr("heatmap.failed", error=error_text(error)))

    def _request_checks(self) -> None:
        key, model = self.key(), self.model
        if key is not None and model is not None and self._detail.maps:
            counterfactual = Method.COUNTERFACTUAL in model.methods
            self._requests.checks(key, counterfactual, self._checks_received, self._checks_failed)

    def _checks_received(self, result: tuple[Sequence[SignalMap], Explanation | None]) -> None:
        maps, self._detail.counterfactual = result
        self._detail.maps = tuple(maps)
        self.refresh()

    def _checks_failed(self, error: Exception) -> None:
        self._widgets.show_notice(tr("detail.checks_failed", error=error_text(error)))

    def _comparison_received(self, method: Method, explanation: Explanation) -> None:
        model = model_of(explanation, self._store)
        if model is not None and explanation.heatmap is not None:
            full = explanation.heatmap.full_color
            content = HeatmapContent(explanation, model, full_value=full)
            self._widgets.comparison.show_map(method, content)

    def _comparison_failed(self, method: Method, error: Exception) -> None:
        self._widgets.comparison.show_error(method, error_text(error))


def _map_methods(model: Model | None) -> list[Method]:
    return [m for m in model.methods if m is not Method.COUNTERFACTUAL] if model is not None else []
