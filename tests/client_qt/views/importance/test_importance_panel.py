from dataclasses import replace
from datetime import UTC, datetime

import pytest
from glasstape import Client, GlasstapeError, Quantity, WindowFilter
from glasstape.testing import FakeServer
from glasstape_qt.preview import SessionLink
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.views.importance.importance_panel import ImportancePanel
from PyQt6.QtWidgets import QCheckBox, QComboBox, QPushButton, QTextBrowser


@pytest.fixture
def asked(context):
    """Filter and reference of each request; answered by a scripted server of the session's model."""
    requests = []
    with FakeServer(model=context.store.model) as server, Client(server.address) as client:
        answer = server.importance
        server.importance = lambda *filters: requests.append(filters) or answer(*filters)
        context.link.client = client
        context.server = server
        yield requests


@pytest.fixture
def panel(context, asked, qtbot):
    panel = ImportancePanel(context.store, context.link, context.appearance)
    qtbot.addWidget(panel)
    panel.resize(640, 640)
    panel.show()
    return panel


def text(panel):
    return panel.findChild(QTextBrowser, "importanceText").toPlainText()


def choose(panel, name, data):
    choice = panel.findChild(QComboBox, f"importance{name}")
    choice.setCurrentIndex(choice.findData(data))


def tick(panel, name):
    panel.findChild(QCheckBox, f"importance{name}").toggle()


def test_the_last_thirty_days_of_all_symbols_are_shown_first(panel, asked):
    assert asked == [(WindowFilter(days=30), None)]
    heatmap = panel.map.content.explanation.heatmap
    assert heatmap.values.sum() == pytest.approx(100)
    assert heatmap.quantity is Quantity.RELEVANCE
    assert "90 windows (20 down, 30 flat, 40 up) of 3 symbols at 30 closes" in text(panel)
    assert "22.2 (17.7 … 26.8)" in text(panel)


def test_every_choice_is_asked_for(panel, asked, context):
    choose(panel, "Symbol", "IBM")
    choose(panel, "Call", "up")
    choose(panel, "Period", 90)
    tick(panel, "Compared")
    wanted = WindowFilter(symbols=("IBM",), directions=(2,), days=90)
    assert asked[-1] == (wanted, wanted)
    model = context.store.model.ref
    choose(panel, "Model", f"{model.name}@{model.version}")
    assert len(asked) == 6
    panel.findChild(QPushButton, "importanceReload").click()
    assert len(asked) == 7


def test_the_validation_period_has_no_period_before(panel, asked):
    tick(panel, "Compared")
    choose(panel, "Period", -1)
    assert asked[-1] == (WindowFilter(validation=True), None)
    assert not panel.findChild(QCheckBox, "importanceCompared").isEnabled()
    choose(panel, "Period", 7)
    assert asked[-1] == (WindowFilter(days=7), WindowFilter(days=7))


def test_the_map_shows_the_chosen_figure(panel):
    tick(panel, "Compared")
    choose(panel, "Figure", "change")
    heatmap = panel.map.content.explanation.heatmap
    assert heatmap.quantity is Quantity.IMPORTANCE
    assert (heatmap.values == 0).all()
    choose(panel, "Figure", "loss_increase")
    assert panel.map.content.explanation.heatmap.values.sum() == pytest.approx(0.1)
    tick(panel, "Compared")
    assert panel.findChild(QComboBox, "importanceFigure").findData("change") == -1


def test_a_significant_change_is_marked(panel):
    tick(panel, "Compared")
    lines = [line for line in text(panel).splitlines() if line.rstrip().endswith("*")]
    assert lines == [line for line in lines if line.startswith("+10.0")]
    assert len(lines) == 1
    assert "corrected for the number of features" in text(panel)


def test_a_cell_is_described_with_its_figures(panel):
    lines = panel.map.cell_description(5, 7).splitlines()
    assert lines[0].endswith("· t")
    assert lines[1].startswith("Share of importance, %: 6.3 (")
    assert lines[2].startswith("Log loss increase, nats: +0.0063 (")


def test_no_interval_is_said_to_be_none(panel, context):
    answer = context.server.importance

    def without(*filters):
        importance = answer(*filters)
        figures = ("importance", "share", "signed_mean", "loss_increase")
        parts = [
            replace(part, **{name: replace(getattr(part, name), low=None, high=None) for name in figures})
            for part in importance.parts
        ]
        return replace(importance, parts=tuple(parts))

    context.server.importance = without
    panel.load()
    assert "No intervals: 30 closes are fewer than three blocks of 6." in text(panel)
    assert panel.map.cell_description(0, 0).count("(") == 0


def test_without_windows_the_reason_is_shown(panel, context):
    answer = context.server.importance
    context.server.importance = lambda *filters: replace(answer(*filters), parts=())
    panel.load()
    assert panel.map.content is None
    assert panel.map.message.startswith("No window: 100 of 100 bars from 2025-12-06 to 2026-01-05")
    assert text(panel) == ""


def test_an_error_of_the_server_is_shown_as_text(panel, context):
    def fail(*filters):
        raise GlasstapeError("<b>no</b> bars")

    context.server.importance = fail
    panel.load()
    assert panel.map.message == "No importance: <b>no</b> bars"


class WaitingLink(SessionLink):
    """A link whose requests are answered later."""

    def request(self, key, call, on_result, on_error=None):
        self.waiting = [*getattr(self, "waiting", []), (call, on_result)]


def test_while_the_server_computes_it_says_so_and_older_answers_are_dropped(context, asked, qtbot):
    link = WaitingLink(context.store, context.session, [])
    panel = ImportancePanel(context.store, link, context.appearance)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.map.message == "Computing the importance …"
    choose(panel, "Symbol", "IBM")
    (older, on_older), (newer, on_newer) = link.waiting
    on_older(older(context.link.client))
    assert panel.map.content is None
    on_newer(newer(context.link.client))
    assert panel.map.content is not None


def test_nothing_is_asked_while_hidden_and_again_after_a_new_history(context, asked, qtbot):
    panel = ImportancePanel(context.store, context.link, context.appearance)
    qtbot.addWidget(panel)
    panel.apply_changes(StoreChanges(reset=True))
    assert asked == []
    panel.show()
    panel.apply_changes(StoreChanges())
    assert len(asked) == 1
    panel.apply_changes(StoreChanges(reset=True))
    assert len(asked) == 2


def test_the_page_of_the_window_opens_by_its_action(window, asked):
    assert not window.importance.isVisible()
    window.open_detail("IBM")
    window._action_handlers()["importance"]()
    assert window.importance.isVisible()
    window._action_handlers()["trust"]()
    tabs = {window.trust_dock, window.details.dock}
    assert set(window.tabifiedDockWidgets(window.importance_dock)) == tabs
    assert window.importance.map.content is not None


def test_korean(panel, context, preferences):
    context.appearance.apply(preferences.model_copy(update={"language": "ko"}))
    assert "로그 손실 증가" in text(panel)
    assert panel.findChild(QPushButton, "importanceReload").text() == "다시 계산"
    assert datetime(2026, 1, 5, tzinfo=UTC).strftime("%Y-%m-%d") in text(panel)
