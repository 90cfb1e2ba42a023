"""One symbol: chart, live heat map, words; or a past signal, reopened exactly."""

from glasstape import Bar, ConfidenceEvent, Event, Explanation, Method, Model
from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtGui import QGuiApplication

from glasstape_qt.i18n import language, say
from glasstape_qt.link import Link
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state import exchange
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.detail import Detail
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.rows import Row
from glasstape_qt.views import reasons
from glasstape_qt.views.detail_layout import DetailLayout
from glasstape_qt.views.detail_picture import as_python, model_of, picture_of
from glasstape_qt.views.heatmap import Picture
from glasstape_qt.views.questions import Asked, Questions

SETTLED = 500
"""Milliseconds without a newer signal after which the slow checks are asked for."""


class DetailView(DetailLayout):
    """Follows a symbol of the desk. The map is the server's Explain of the shown signal, by its sequence."""

    titled = pyqtSignal(str)
    """Its title has changed."""

    def __init__(
        self, symbol: str, desk: Desk, link: Link, appearance: Appearance, preferences: Preferences
    ) -> None:
        super().__init__(appearance, preferences.score)
        self._desk, self._link = desk, link
        self._preferences = preferences
        self._questions = Questions(link, self)
        self.destroyed.connect(self._questions.close)
        self.detail = Detail(symbol, desk.rows[symbol].event.interval)
        self._connect()
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLED)
        self._settle.timeout.connect(self._ask_checks)
        appearance.changed.connect(self.restyle)
        self.detail.take(desk.rows[symbol].event)
        self._offer_methods()
        self.restyle()
        self._load()
        self._ask_map()

    @property
    def symbol(self) -> str:
        """What it shows."""
        return self.detail.symbol

    def restyle(self) -> None:
        """Another look or language."""
        super().restyle()
        self._refresh()

    def take(self, changes: Changes) -> None:
        """The desk has changed."""
        if changes.reset:
            self._questions.close()
            self.detail.forget()
            self._load()
        settled = [outcome for outcome in changes.outcomes if outcome.symbol == self.symbol]
        for outcome in settled:
            self.detail.settle(outcome)
        if self.symbol in changes.rows and self.symbol in self._desk.rows:
            before = self.detail.shown
            self.detail.take(self._desk.rows[self.symbol].event)
            self._offer_methods()
            self._refresh()
            if self.detail.shown is not before or self.detail.explanation is None:
                self._ask_map()
        elif settled:
            self._refresh()

    def reopen(self, sequence: int | None) -> None:
        """Show a past signal as it was; None follows the newest again."""
        known = self.detail.signal(sequence) if sequence is not None else None
        if sequence is None or known is not None:
            self._pin(known)
        else:
            self._questions.signal(self.symbol, sequence, self._found, self._not_found)

    def compare(self) -> None:
        """Every method, side by side."""
        self.tabs.setCurrentWidget(self.comparison)

    def copy_as_python(self) -> None:
        """The lines that give what is on the screen, for a program."""
        asked, clipboard = self._asked(), QGuiApplication.clipboard()
        if asked is not None and clipboard is not None:
            clipboard.setText(as_python(self._link.address, asked))

    def _connect(self) -> None:
        self.method.currentIndexChanged.connect(self._chosen)
        self.score.currentIndexChanged.connect(self._chosen)
        self.tabs.currentChanged.connect(self._ask_comparison)
        self.copy.clicked.connect(self.copy_as_python)
        self.live.clicked.connect(lambda: self.reopen(None))
        self.newest.clicked.connect(self._follow)
        self.chart.moved.connect(lambda: self.newest.setVisible(not self.chart.following))
        self.chart.reopened.connect(self.reopen)
        self.chart.hovered.connect(self._over_chart)
        self.map.hovered.connect(self._over_map)

    def _row(self) -> Row | None:
        return self._desk.rows.get(self.symbol)

    def _model(self) -> Model | None:
        """What made the shown signal: not always what publishes now."""
        shown = self.detail.shown
        return self._desk.models.get(shown.model.digest) if shown is not None else None

    def _asked(self) -> Asked | None:
        shown, method = self.detail.shown, self.method.currentData()
        return Asked(shown.sequence, method, self.score.currentData()) if shown and method else None

    def _offer_methods(self) -> None:
        """Only what the model serves; what was chosen stays chosen if it can."""
        methods = _maps(self._model())
        if [self.method.itemData(n) for n in range(self.method.count())] == [m.value for m in methods]:
            return
        wanted = self.method.currentData() or self._preferences.method
        self.method.blockSignals(True)
        self.method.clear()
        for method in methods:
            self.method.addItem(say(f"method.{method.value}"), method.value)
        self.method.setCurrentIndex(max(0, self.method.findData(wanted)))
        self.method.blockSignals(False)

    def _load(self) -> None:
        row = self._row()
        if row is not None:
            now = row.event.bar_close_time
            self._questions.history(self.symbol, self.detail.interval, now, self._filled, self._load_failed)

    def _filled(self, answer: tuple[list[Bar], list[Event]]) -> None:
        self.detail.fill(*answer)
        self._refresh()
        if self.detail.explanation is None:
            self._ask_map()

    def _load_failed(self, error: Exception) -> None:
        self.tell(say("detail.no_history", error=_text(error)))

    def _pin(self, event: ConfidenceEvent | None) -> None:
        self.detail.pin(event)
        self.tell("")
        if event is not None and not self.detail.has_bar_of(event):
            until = event.bar_close_time
            self._questions.past_bars(self.symbol, self.detail.interval, until, self._past, self._load_failed)
        self._offer_methods()
        self._refresh()
        self._ask_map()

    def _past(self, bars: list[Bar]) -> None:
        self.detail.past = bars
        self._refresh()

    def _found(self, event: Event | None) -> None:
        if isinstance(event, ConfidenceEvent):
            self._pin(event)
        else:
            self.tell(say("detail.gone"))

    def _not_found(self, error: Exception) -> None:
        self.tell(say("detail.not_reopened", error=_text(error)))

    def _chosen(self) -> None:
        self._preferences.method = self.method.currentData() or self._preferences.method
        self._preferences.score = self.score.currentData()
        self.detail.unexplain()
        self._ask_map()

    def _ask_map(self) -> None:
        asked = self._asked()
        if self.detail.explanation is None:
            sentence = (
                "heatmap.waiting" if asked is not None or self._model() is None else "heatmap.no_method"
            )
            self.map.show_picture(None, say(sentence))
            self.words.setHtml("")
        if asked is None:
            return
        self._settle.start()
        self._questions.map(asked, self._mapped, self._map_failed)
        self._ask_comparison()

    def _mapped(self, explanation: Explanation) -> None:
        if explanation.prediction.error is not None:
            self._map_failed(explanation.prediction.error)
            return
        self.detail.explanation, self.detail.explained = explanation, self.detail.shown
        self.detail.flip = None
        self._desk.scale.take(explanation)
        self._refresh()

    def _map_failed(self, error: Exception) -> None:
        self.detail.unexplain()
        self._refresh()
        self.map.show_picture(None, say("heatmap.failed", error=_text(error)))
        self.words.setHtml("")

    def _ask_checks(self) -> None:
        """Nothing newer came for a while: the verdict with all checks, and what would turn the signal."""
        asked, model = self._asked(), self._model()
        if asked is not None and model is not None and self.detail.explanation is not None:
            flips = Method.COUNTERFACTUAL in model.methods
            self._questions.checks(asked, flips, self._checked, self._not_checked)

    def _checked(self, answer: tuple[Explanation, Explanation | None]) -> None:
        full, flip = answer
        if full.heatmap is not None:
            self.detail.explanation, self.detail.flip = full, flip
            self._refresh_map()

    def _not_checked(self, error: Exception) -> None:
        self.tell(say("detail.not_checked", error=_text(error)))

    def _ask_comparison(self) -> None:
        shown, model = self.detail.shown, self._model()
        if self.tabs.currentWidget() is self.comparison and shown is not None and model is not None:
            methods, score = _maps(model), self.score.currentData()
            self.comparison.begin(methods)
            self._questions.comparison(shown.sequence, methods, score, self._compared, self._not_compared)

    def _compared(self, method: Method, explanation: Explanation) -> None:
        model = model_of(explanation, self._desk)
        if model is not None and explanation.heatmap is not None:
            own = Picture(explanation, model, full=explanation.heatmap.full_colour)
            self.comparison.show_map(method, own)

    def _not_compared(self, method: Method, error: Exception) -> None:
        self.comparison.show_failure(method, _text(error))

    def _refresh(self) -> None:
        row, shown, model = self._row(), self.detail.explained or self.detail.shown, self._model()
        if row is None:
            return
        zone = exchange.zone(row.instrument)
        self.chart.show_detail(self.detail, zone, self._steps(), row.decimals())
        self.history.show_detail(self.detail, model.buy_ramp_low if model is not None else None, zone)
        pinned = self.detail.pinned is not None
        self.live.setVisible(pinned)
        self.newest.setVisible(not self.chart.following)
        if shown is not None:
            self.head.setText(reasons.headline(shown, row, pinned=pinned))
        name = row.name(language())
        self.titled.emit(self.symbol if name == self.symbol else f"{self.symbol} {name}".strip())
        self._refresh_map()

    def _refresh_map(self) -> None:
        shared, explanation = self._preferences.shared_scale, self.detail.explanation
        picture = picture_of(explanation, self.detail, self._desk, shared=shared)
        if picture is not None:
            self.map.show_picture(picture)
            self.words.setHtml(reasons.html(explanation, self.detail.flip, picture.zone))

    def _over_map(self, column: int) -> None:
        window = self.detail.window(self._steps())
        self.chart.highlight(window[0] + column if window is not None and column >= 0 else -1)

    def _over_chart(self, index: int) -> None:
        window = self.detail.window(self._steps())
        inside = window is not None and window[0] <= index <= window[1]
        self.map.highlight(index - window[0] if inside and window is not None else -1)

    def _steps(self) -> int:
        model = self._model()
        return model.time_steps if model is not None else 0

    def _follow(self) -> None:
        self.chart.follow()
        self.newest.hide()


def _maps(model: Model | None) -> list[Method]:
    return [m for m in model.methods if m is not Method.COUNTERFACTUAL] if model is not None else []


def _text(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


if __name__ == "__main__":
    from glasstape_qt.alone import show

    show(
        lambda made: DetailView(made.newest().symbol, made.desk, made.link, made.appearance, made.preferences)
    )
