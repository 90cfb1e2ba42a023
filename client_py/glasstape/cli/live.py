"""Live calibration and drift of models as text."""

from typing import TYPE_CHECKING

from glasstape.types.enums import CalibrationState

if TYPE_CHECKING:
    from glasstape import InputDrift, IntervalEstimate, LiveCalibration

STATES = {
    CalibrationState.UNSPECIFIED: "unspecified",
    CalibrationState.UNKNOWN: "unknown (too few sessions)",
    CalibrationState.HOLDS: "calibrated within ±{band:g} points",
    CalibrationState.BROKEN: "NOT CALIBRATED",
    CalibrationState.UNDECIDED: "cannot tell within ±{band:g} points",
}


def live_lines(live: "LiveCalibration") -> list[str]:
    """Return calibration, and drift where there are signals, a line each."""
    gaps = {
        "winner": live.winner_gap,
        "DOWN": live.down_gap,
        "FLAT": live.flat_gap,
        "UP": live.up_gap,
        "UP calls": live.up_call_gap,
    }
    text = ", ".join(f"{name} {_gap(gap)}" for name, gap in gaps.items() if gap is not None)
    state = STATES[live.state].format(band=100 * live.band)
    lines = [f"{state} over {live.sessions} sessions, {live.outcomes} outcomes: {text}"]
    share = live.novel_share
    novel = f"{share.value:.1%} ({share.low:.1%} … {share.high:.1%}) novel windows, usual are 5 %"
    if live.drift is None:
        return (
            [*lines, f"{'INPUTS HAVE DRIFTED: ' if live.drifted else ''}{novel}"] if live.outcomes else lines
        )
    return [*lines, f"{_drift(live.drift, live.drifted)}: {novel}{_shifts(live.drift)}"]


def _drift(drift: "InputDrift", drifted: bool) -> str:
    verdict = "INPUTS HAVE DRIFTED" if drifted else "inputs show no drift"
    if drift.sessions < MIN_DRIFT_SESSIONS:
        verdict = f"drift is unknown before {MIN_DRIFT_SESSIONS} sessions"
    return f"{verdict}, {drift.sessions} sessions, {drift.windows} windows"


MIN_DRIFT_SESSIONS = 10
"""Sessions with signals from which on a server compares inputs."""


def _shifts(drift: "InputDrift") -> str:
    """Return the features whose mean has shifted; "" without any."""
    shifted = [shift for shift in drift.shifts if shift.significant]
    return "".join(
        f"; mean of {each.feature} {each.shift.value:+.2f} ({each.shift.low:+.2f} … {each.shift.high:+.2f}) "
        "standard deviations from training"
        for each in shifted
    )


def _gap(gap: "IntervalEstimate") -> str:
    return f"{100 * gap.value:+.1f} points ({100 * gap.low:+.1f} … {100 * gap.high:+.1f})"
