from dataclasses import replace

import pytest
from glasstape import (
    CalibrationState,
    CarryingSession,
    FeatureShift,
    GlasstapeError,
    InputDrift,
    IntervalEstimate,
    LiveCalibration,
    ShadowRecord,
    SkillSplit,
    SkillVerdict,
    TrackRecord,
    TrackRecords,
)
from glasstape.skill import KOREAN_SENTENCES, SENTENCES
from glasstape_qt import i18n
from glasstape_qt.preview import SessionLink
from glasstape_qt.views.trust.model_card import model_card_html
from glasstape_qt.views.trust.reliability_diagram import ReliabilityDiagram
from glasstape_qt.views.trust.track_record import track_record_html
from glasstape_qt.views.trust.trust_panel import TrustPanel
from PyQt6.QtWidgets import QComboBox, QTextBrowser


@pytest.fixture
def panel(context, qtbot):
    panel = TrustPanel(context.store, context.link, context.appearance)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def estimate(value, half):
    return IntervalEstimate(value=value, low=value - half, high=value + half)


def text(panel, name):
    return panel.findChild(QTextBrowser, name).toPlainText()


def test_outcomes_are_shown_with_their_bases(panel):
    record, card = text(panel, "trustText"), text(panel, "modelCard")
    assert "UP and DOWN" in record
    assert "(hits + opposites) / (2 calls)" in record
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


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Knows when the market is quiet, not where it goes."),
        ("ko", "시장이 조용할 때는 알지만, 어디로 움직일지는 모릅니다."),
    ],
)
def test_what_a_model_knows_is_a_sentence_in_both_languages(panel, context, language, sentence):
    skill = SkillSplit(
        log_loss_saved=estimate(0.0088, 0.002), flat=estimate(0.0088, 0.002), direction=estimate(0, 0.0042),
        moved_hit_rate=estimate(0.498, 0.003), verdict=SkillVerdict.FLAT,
    )  # fmt: skip
    record = TrackRecord(
        predicted=None, count=1204, hits=420, opposites=400, hit_rate=420 / 1204, hit_rate_low=0.31,
        hit_rate_high=0.39, base_rate=820 / 2408, edge=estimate(0.0166, 0.02), moved_hit_rate=estimate(0.512, 0.02),
        kept=37, mean_return=0.0, net_return=-0.002, sessions=60, model="", symbol="", confidence=None, skill=skill,
    )  # fmt: skip
    track = TrackRecords(
        records=(record,),
        outcomes=3000,
        brier_score=0.66,
        log_loss=1.09,
        reliability=(),
        left_out=0,
        skill=skill,
    )
    i18n.set_language(language)
    try:
        shown = track_record_html(track)
        card = model_card_html(replace(context.store.model, skill=skill))
    finally:
        i18n.set_language("en")
    assert sentence in shown
    assert sentence in card
    for figure in ("37", "34.9%", "34.1%", "+1.7 (-0.3 … +3.7)", "51.2% (49.2% … 53.2%)"):
        assert figure in shown
    for figure in ("+0.0088 (+0.0068 … +0.0108)", "+0.0000 (-0.0042 … +0.0042)", "49.8% (49.5% … 50.1%)"):
        assert figure in card


def test_the_sentences_are_those_of_the_sdk():
    for language, sentences in (("en", SENTENCES), ("ko", KOREAN_SENTENCES)):
        i18n.set_language(language)
        for verdict, sentence in sentences.items():
            assert i18n.tr(f"skill.verdict.{verdict.value}") == f"{sentence[0].upper()}{sentence[1:]}."
    i18n.set_language("en")


def test_a_record_of_an_older_server_is_readable(context):
    older = TrackRecord(
        predicted=None, count=4, hits=2, hit_rate=0.5, hit_rate_low=0.2, hit_rate_high=0.8, base_rate=0.4,
        mean_return=0.0, net_return=0.0, sessions=2, model="", symbol="", confidence=None,
    )  # fmt: skip
    track = TrackRecords(
        records=(older,), outcomes=4, brier_score=0.6, log_loss=1.1, reliability=(), left_out=0
    )
    assert track_record_html(track).count("–") == 4


def test_the_sessions_that_carry_the_mean_return_are_named():
    both = TrackRecord(
        predicted=None, count=4, hits=2, hit_rate=0.5, hit_rate_low=0.2, hit_rate_high=0.8, base_rate=0.4,
        mean_return=0.012, net_return=0.01, sessions=2, model="", symbol="", confidence=None, opposites=2,
        mean_return_interval=IntervalEstimate(value=0.012, low=-0.01, high=0.03),
        carried_by=(CarryingSession(day="2024-05-31", calls=2, total_return=0.06, mean_without=-0.004),),
    )  # fmt: skip
    track = TrackRecords(
        records=(both,), outcomes=4, brier_score=0.6, log_loss=1.1, reliability=(), left_out=0
    )
    html = track_record_html(track)
    assert "Mean return of UP and DOWN: +1.20% (-1.00% … +3.00%), by session." in html
    assert "Mean return of UP and DOWN without 2024-05-31: -0.40%." in html


def test_the_card_shows_abstention_as_kept_calls(context):
    metrics = context.store.model.metrics | {"validation/calls": 0.5, "validation/kept_calls": 0.04}
    assert "Abstention keeps 8% of the UP and DOWN calls." in model_card_html(
        replace(context.store.model, metrics=metrics)
    )


def test_the_card_shows_live_calibration_and_shadow(panel, context):
    model = context.store.model
    gap = IntervalEstimate(value=-0.05, low=-0.08, high=-0.03)
    live = LiveCalibration(
        state=CalibrationState.BROKEN, sessions=60, outcomes=12_000, winner_gap=gap, up_gap=gap, band=0.02,
        novel_share=IntervalEstimate(value=0.2, low=0.15, high=0.25), drifted=True, flat_gap=gap,
        drift=InputDrift(sessions=12, windows=900, shifts=(
            FeatureShift(feature="rsi", shift=IntervalEstimate(value=0.8, low=0.5, high=1.1), significant=True),
            FeatureShift(feature="atr", shift=IntervalEstimate(value=0.1, low=-0.2, high=0.4), significant=False),
        )),
    )  # fmt: skip
    shadow = ShadowRecord(compared=200, disagreed=50, against=model.ref)
    context.store.describe([replace(model, live=live, shadow=shadow)], [])
    panel.refresh()
    card = text(panel, "modelCard")
    assert (
        "OUT OF CALIBRATION: 60 sessions, 12,000 outcomes; gap of the winner -5.0 points (-8.0 … -3.0), "
        "of FLAT -5.0 points (-8.0 … -3.0), of UP -5.0 points (-8.0 … -3.0)"
    ) in card
    assert "Inputs have drifted" in card
    assert "20.0% of the windows are novel (usual: 5%). The mean of rsi has shifted by +0.80" in card
    assert "atr" not in card
    assert "disagreed with the active model in 25.0% of 200 windows" in card


def test_the_card_says_when_outcomes_cannot_tell(context):
    gap = IntervalEstimate(value=0.0, low=-0.06, high=0.06)
    live = LiveCalibration(
        state=CalibrationState.UNDECIDED, sessions=60, outcomes=500, winner_gap=gap, up_gap=gap, band=0.02,
        novel_share=IntervalEstimate(value=0.05, low=0.02, high=0.08), drifted=False,
    )  # fmt: skip
    card = model_card_html(replace(context.store.model, live=live))
    assert "cannot tell within ±2 points: 60 sessions" in card
    assert "drifted" not in card


def test_an_error_of_the_server_is_shown_as_text(context, qtbot):
    class FailingLink(SessionLink):
        def request(self, key, call, on_result, on_error=None):
            on_error(GlasstapeError("<b>no</b> outcomes"))

    link = FailingLink(context.store, context.session, [])
    panel = TrustPanel(context.store, link, context.appearance)
    qtbot.addWidget(panel)
    panel.load()
    assert "<b>no</b> outcomes" in text(panel, "trustText")


def test_the_card_shows_the_rank_ic_of_a_rank_head(context):
    model = context.store.model
    assert "Rank IC" not in model_card_html(model)
    metrics = {
        f"check/rank_ic{suffix}{end}": value
        for suffix, value in (("", 0.068), ("_classes", 0.015), ("_low_volatility", 0.047))
        for end in ("", "_low", "_high")
    }
    card = model_card_html(replace(model, metrics={**model.metrics, **metrics}))
    assert "Rank IC +0.068 (+0.068 … +0.068); its classes +0.015" in card
