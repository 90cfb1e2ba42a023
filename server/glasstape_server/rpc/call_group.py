"""Calls with ready windows that may share a batch of the device."""

from dataclasses import dataclass, field

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.engine.job import Job, Lane
from glasstape_server.engine.work import ExplainWork, ForecastWork
from glasstape_server.rpc.calls import PendingCall, Responder
from glasstape_server.serving.inference import predict_lane
from glasstape_server.serving.windows import bad_cell, valid_rows


@dataclass(frozen=True, slots=True, eq=False)
class CallTarget:
    """Where calls go: those with one target may share a batch."""

    work: ForecastWork | ExplainWork
    responder: Responder


@dataclass(slots=True)
class CallGroup:
    """Calls of one target."""

    target: CallTarget
    calls: list[PendingCall] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    rows: int = 0

    def add(self, pending: PendingCall, count: int, data: bytes) -> None:
        """Add a call with the bytes of its windows, whose number has been checked."""
        pending.count = count
        self.calls.append(pending)
        self.data.append(data)
        self.rows += count

    @property
    def work(self) -> ForecastWork | ExplainWork:
        """Work of the target."""
        return self.target.work

    @property
    def passes(self) -> int:
        """Rows that the device computes."""
        return self.rows * self.work.passes

    @property
    def lane(self) -> Lane:
        """Lane of all calls as one batch."""
        return _lane(self.work, self.rows)

    def windows(self) -> Float32s:
        """Return the windows of all calls, (n, time, feature), with zeros in place of those that have bad cells."""
        # Of a bytearray, because torch requires writable memory.
        windows = np.frombuffer(bytearray().join(self.data), dtype="<f4")
        windows = windows.reshape(-1, *self.work.model.window_shape)
        valid = valid_rows(windows)
        if valid.all():
            return windows
        first = 0
        for pending in self.calls:
            end = first + pending.count
            rows = np.flatnonzero(~valid[first:end]).tolist()
            pending.invalid = {row: bad_cell(row, windows[first + row], self.work.model) for row in rows}
            first = end
        return np.where(valid[:, None, None], windows, np.float32(0))

    def jobs(self, windows: Float32s) -> list[Job[PendingCall]]:
        """Return one job for each call, all of them views of one array, as `windows` returned it."""
        jobs, first = list[Job[PendingCall]](), 0
        for pending in self.calls:
            end = first + pending.count
            lane, rows = _lane(self.work, pending.count), (windows[first:end],)
            jobs.append(Job(self.work, rows, lane, pending, self.target.responder, pending, pending.received))
            first = end
        return jobs


def _lane(work: ForecastWork | ExplainWork, count: int) -> Lane:
    return Lane.EXPLAIN if isinstance(work, ExplainWork) else predict_lane(count)
