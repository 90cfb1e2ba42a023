"""Live figures of models for the wire."""

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.rpc.convert.skill import interval_estimate_to
from glasstape_server.signals.performance.calibration import BAND
from glasstape_server.signals.performance.drift import Drift
from glasstape_server.signals.performance.live import Live


def live_to(live: Live) -> pb.LiveCalibration:
    """Return the message of live figures."""
    calibration, drift = live.calibration, live.drift
    up_call_gap = calibration.up_call_gap
    return pb.LiveCalibration(
        state=pb.CalibrationState.ValueType(int(calibration.state)),
        sessions=calibration.sessions,
        outcomes=calibration.outcomes,
        winner_gap=interval_estimate_to(calibration.winner_gap),
        down_gap=interval_estimate_to(calibration.down_gap),
        flat_gap=interval_estimate_to(calibration.flat_gap),
        up_gap=interval_estimate_to(calibration.up_gap),
        up_call_gap=None if up_call_gap is None else interval_estimate_to(up_call_gap),
        band=BAND,
        novel_share=None if drift is None else interval_estimate_to(drift.novel_share),
        drifted=live.drifted,
        drift=None if drift is None else _drift_to(drift),
    )


def _drift_to(drift: Drift) -> pb.InputDrift:
    return pb.InputDrift(
        sessions=drift.sessions,
        windows=drift.windows,
        shifts=[
            pb.FeatureShift(
                feature=shift.feature,
                shift=interval_estimate_to(shift.shift),
                significant=shift.significant,
            )
            for shift in drift.shifts
        ],
    )
