"""Views stand on the bundled session: no server, no waiting."""

import pytest
from glasstape_qt.alone import stage
from glasstape_qt.views.window import MainWindow


@pytest.fixture
def made(qapp, preferences, appearance):
    return stage(preferences)


@pytest.fixture
def window(made, qtbot):
    opened = MainWindow(made.desk, made.link, made.appearance, made.preferences)
    qtbot.addWidget(opened)
    opened.resize(1280, 800)
    opened.show()
    yield opened
    opened.close()
