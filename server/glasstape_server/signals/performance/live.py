"""Live figures of one model: its calibration and the drift of its inputs."""

from dataclasses import dataclass

from glasstape_server.signals.performance.calibration import Calibration, State
from glasstape_server.signals.performance.drift import Drift


@dataclass(frozen=True, slots=True)
class Live:
    """What the signals of a model and their outcomes show."""

    calibration: Calibration
    drift: Drift | None
    """None: it has no signal yet."""

    @property
    def state(self) -> State:
        """The verdict on its confidences."""
        return self.calibration.state

    @property
    def drifted(self) -> bool:
        """Whether its inputs no longer resemble its training data."""
        return self.drift is not None and self.drift.drifted
