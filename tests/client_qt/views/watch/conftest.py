import pytest
from glasstape_qt.views.watch.watch_panel import WatchPanel
from stores import Clock, apply, batch, make_store


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def store(clock):
    return make_store(now=clock)


@pytest.fixture
def panel(qtbot, store, appearance, preferences):
    panel = WatchPanel(store, appearance, preferences)
    qtbot.addWidget(panel)
    panel.resize(1200, 500)
    panel.show()
    return panel


@pytest.fixture
def add(store, panel):
    """Adds events to the store and shows them in the panel."""
    return lambda *events: panel.apply_changes(apply(store, batch(*events)))
