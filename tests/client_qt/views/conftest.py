"""Views on the bundled session: no server, no waiting."""

import pytest
from glasstape_qt.preview import load_preview
from glasstape_qt.views.main_window import MainWindow


@pytest.fixture
def context(qapp, preferences, appearance):
    return load_preview(preferences)


@pytest.fixture
def window(context, qtbot):
    window = MainWindow(context.store, context.link, context.appearance, context.preferences)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    yield window
    window.close()
