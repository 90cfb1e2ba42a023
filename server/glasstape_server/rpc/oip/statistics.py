"""Counts and times of ModelInfer calls, by model version, since the server started."""

import time
from dataclasses import dataclass, field

from glasstape_server.domain.signals import ModelRef
from glasstape_server.rpc.oip import open_inference_pb2 as oip

NANOSECONDS = 1e9


@dataclass(slots=True)
class CallTimes:
    """Where the time of one call went, seconds."""

    input: float = 0.0
    """Checking and converting the request."""
    queue: float = 0.0
    infer: float = 0.0
    output: float = 0.0
    """Encoding the response."""
    total: float = 0.0


@dataclass(slots=True)
class _VersionStatistics:
    """Sums over the calls of one version."""

    succeeded: int = 0
    failed: int = 0
    failed_seconds: float = 0.0
    windows: int = 0
    last_milliseconds: int = 0
    times: CallTimes = field(default_factory=CallTimes)


class InferStatistics:
    """Statistics of every version. Used on the event loop alone."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], _VersionStatistics] = {}

    def succeeded(self, ref: ModelRef, windows: int, times: CallTimes) -> None:
        """Count a call that returned predictions."""
        sums = self._of(ref)
        sums.succeeded += 1
        sums.windows += windows
        sums.last_milliseconds = int(time.time() * 1000)
        for name in CallTimes.__slots__:
            setattr(sums.times, name, getattr(sums.times, name) + getattr(times, name))

    def failed(self, ref: ModelRef, seconds: float) -> None:
        """Count a call that failed after so many seconds."""
        sums = self._of(ref)
        sums.failed += 1
        sums.failed_seconds += seconds

    def message(self, ref: ModelRef) -> oip.ModelStatistics:
        """Return the statistics of a version."""
        sums = self._of(ref)

        def duration(seconds: float, count: int = sums.succeeded) -> oip.StatisticDuration:
            return oip.StatisticDuration(count=count, ns=int(seconds * NANOSECONDS))

        return oip.ModelStatistics(
            name=ref.name,
            version=ref.version,
            last_inference=sums.last_milliseconds,
            inference_count=sums.windows,
            execution_count=sums.succeeded,
            inference_stats=oip.InferStatistics(
                success=duration(sums.times.total),
                fail=duration(sums.failed_seconds, sums.failed),
                queue=duration(sums.times.queue),
                compute_input=duration(sums.times.input),
                compute_infer=duration(sums.times.infer),
                compute_output=duration(sums.times.output),
            ),
        )

    def _of(self, ref: ModelRef) -> _VersionStatistics:
        return self._versions.setdefault((ref.name, ref.version), _VersionStatistics())
