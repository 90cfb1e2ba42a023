from dataclasses import replace

from glasstape import CalibrationState, FeatureShift, InputDrift, IntervalEstimate, LiveCalibration
from glasstape.cli.live import live_lines

GAP = IntervalEstimate(value=-0.01, low=-0.03, high=0.01)
LIVE = LiveCalibration(
    state=CalibrationState.UNDECIDED, sessions=60, outcomes=240, winner_gap=GAP, up_gap=GAP, band=0.02,
    novel_share=IntervalEstimate(value=0.05, low=0.02, high=0.08), drifted=False, down_gap=GAP, flat_gap=GAP,
    drift=InputDrift(sessions=60, windows=248, shifts=()),
)  # fmt: skip


def test_three_states_are_told_apart_with_the_gap_of_each_class():
    calibration, drift = live_lines(LIVE)
    assert calibration.startswith(
        "cannot tell within ±2 points over 60 sessions, 240 outcomes: winner -1.0 points"
    )
    assert "DOWN -1.0 points (-3.0 … +1.0), FLAT" in calibration
    assert "UP calls" not in calibration, "nothing was predicted UP"
    assert drift.startswith(
        "inputs show no drift, 60 sessions, 248 windows: 5.0% (2.0% … 8.0%) novel windows"
    )
    assert live_lines(replace(LIVE, state=CalibrationState.HOLDS))[0].startswith(
        "calibrated within ±2 points"
    )
    assert live_lines(replace(LIVE, state=CalibrationState.BROKEN))[0].startswith("NOT CALIBRATED")


def test_features_that_have_shifted_are_named():
    shift = IntervalEstimate(value=1.5, low=1.0, high=2.0)
    shifts = tuple(
        FeatureShift(feature=name, shift=shift, significant=name == "rsi") for name in ("rsi", "atr")
    )
    drift = live_lines(replace(LIVE, drifted=True, drift=InputDrift(sessions=12, windows=48, shifts=shifts)))[
        1
    ]
    assert drift.startswith("INPUTS HAVE DRIFTED, 12 sessions")
    assert "mean of rsi +1.50 (+1.00 … +2.00) standard deviations" in drift
    assert "atr" not in drift


def test_drift_is_unknown_before_ten_sessions():
    drift = live_lines(replace(LIVE, drift=InputDrift(sessions=9, windows=36, shifts=())))[1]
    assert drift.startswith("drift is unknown before 10 sessions, 9 sessions")


def test_a_server_that_compares_no_features_has_its_own_verdict():
    assert live_lines(replace(LIVE, drift=None, drifted=True))[1].startswith("INPUTS HAVE DRIFTED: 5.0%")
    assert len(live_lines(replace(LIVE, drift=None, outcomes=0))) == 1
