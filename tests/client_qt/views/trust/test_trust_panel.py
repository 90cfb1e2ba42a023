from dataclasses import replace

import pytest
from glasstape import CalibrationState, GlasstapeError, IntervalEstimate, LiveCalibration, ShadowRecord
from glasstape_qt.preview import SessionLink
from glasstape_qt.views.trust.reliability_diagram import ReliabilityDiagram
from glasstape_qt.views.trust.trust_panel import TrustPanel
from PyQt6.QtWidgets import QComboBox, QTextBrowser


@pytest.fixture
def panel(context, qtbot):
    panel = TrustPanel(context.store, context.link, context.appearance)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def text(panel, name):
    return panel.findChild(QTextBrowser, name).toPlainText()


def test_outcomes_are_compared_with_the_base_rate(panel):
    record, card = text(panel, "trustText"), text(panel, "modelCard")
    assert "UP and DOWN" in record
    assert "random calls" in record
    assert "Expected accuracy: about 39 of 100 signals" in card
    assert "skill" in card


def test_a_symbol_and_a_class_can_be_selected(panel):
    diagram = panel.findChild(ReliabilityDiagram)
    everything = diagram.accessibleName()
    symbols, classes = panel.findChild(QComboBox, "trustSymbol"), panel.findChild(QComboBox, "trustClass")
    symbols.setCurrentIndex(symbols.findData("IBM"))
    ibm = diagram.accessibleName()
    assert ibm != everything
    classes.setCurrentIndex(classes.findData("down"))
    assert diagram.accessibleName() == ibm.replace("UP", "DOWN")


def test_the_card_shows_live_calibration_and_shadow(panel, context):
    model = context.store.model
    gap = IntervalEstimate(value=-0.05, low=-0.08, high=-0.03)
    live = LiveCalibration(
        state=CalibrationState.BROKEN, sessions=60, outcomes=12_000, winner_gap=gap, up_gap=gap, band=0.02,
        novel_share=IntervalEstimate(value=0.2, low=0.15, high=0.25), drifted=True,
    )  # fmt: skip
    shadow = ShadowRecord(compared=200, disagreed=50, against=model.ref)
    context.store.describe([replace(model, live=live, shadow=shadow)], [])
    panel.refresh()
    card = text(panel, "modelCard")
    assert (
        "OUT OF CALIBRATION: 60 sessions, 12,000 outcomes; gap of the winner -5.0 points (-8.0 … -3.0)"
        in card
    )
    assert "Inputs have drifted" in card
    assert "disagreed with the active model in 25.0% of 200 windows" in card


def test_an_error_of_the_server_is_shown_as_text(context, qtbot):
    class FailingLink(SessionLink):
        def request(self, key, call, on_result, on_error=None):
            on_error(GlasstapeError("<b>no</b> outcomes"))

    link = FailingLink(context.store, context.session, [])
    panel = TrustPanel(context.store, link, context.appearance)
    qtbot.addWidget(panel)
    panel.load()
    assert "<b>no</b> outcomes" in text(panel, "trustText")
