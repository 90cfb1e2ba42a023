"""Track records for the wire."""

from dataclasses import dataclass
from datetime import UTC, datetime

from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain.backlog import Backlog
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_COST
from glasstape_server.rpc.convert.predictions import direction_to
from glasstape_server.rpc.convert.reliability import reliability_point_to
from glasstape_server.rpc.convert.skill import interval_estimate_to, skill_split_to
from glasstape_server.signals.performance.returns import CarryingSession, Returns
from glasstape_server.signals.performance.track_record import Group, TrackRecord, TrackRecordRow


@dataclass(frozen=True, slots=True)
class TrackQuestion:
    """A checked GetTrackRecord request."""

    model: str
    exclude_abstained: bool
    group_by: tuple[Group, ...]
    cost: float


def question_from(request: pb.GetTrackRecordRequest) -> TrackQuestion:
    """Return the checked request.

    Raises:
        InvalidArgument: a group is not known or stands twice, or the cost is out of its range.
    """
    known = {int(group) for group in Group}
    for number, value in enumerate(request.group_by):
        if value not in known or value in request.group_by[:number]:
            rule = f"must be different ones of {', '.join(f'TRACK_RECORD_GROUP_{g.name}' for g in Group)}"
            raise InvalidArgument.field(f"group_by[{number}]", f"{rule}, is {value}")
    if not 0 <= request.cost <= MAX_COST:
        raise InvalidArgument.field("cost", f"must be 0-{MAX_COST}, is {request.cost:g}")
    groups = tuple(Group(value) for value in request.group_by)
    return TrackQuestion(request.model, request.exclude_abstained, groups, request.cost)


def track_record_to(track: TrackRecord, left_out: int, backlog: Backlog) -> pb.GetTrackRecordResponse:
    """Return the response."""
    return pb.GetTrackRecordResponse(
        records=[_record_to(row) for row in track.records],
        outcomes=track.outcomes,
        brier_score=track.brier_score,
        log_loss=track.log_loss,
        reliability=[
            reliability_point_to(point.stated, point.realized, point.count, point.direction)
            for point in track.reliability
        ],
        left_out=left_out,
        skill=skill_split_to(track.skill),
        backlog_bars=backlog.bars,
        open_signals=backlog.open_signals,
    )


def _record_to(row: TrackRecordRow) -> pb.TrackRecord:
    calls, moved = row.calls, row.calls.moved_hit_rate
    some = calls.calls > 0
    return pb.TrackRecord(
        predicted=direction_to(row.predicted),
        count=calls.calls,
        hits=calls.hits,
        hit_rate=calls.hit_rate.value if some else None,
        hit_rate_low=calls.hit_rate.low,
        hit_rate_high=calls.hit_rate.high,
        base_rate=calls.base_rate,
        mean_return=row.returns.mean,
        net_return=row.returns.mean + row.costs,
        sessions=row.sessions,
        model=row.model,
        symbol=row.symbol,
        confidence_low=row.band[0] if row.band[1] else None,
        confidence_high=row.band[1] or None,
        opposites=calls.opposites,
        edge=interval_estimate_to(calls.edge) if some else None,
        moved_hit_rate=interval_estimate_to(moved) if calls.hits + calls.opposites else None,
        kept=row.kept,
        skill=skill_split_to(row.skill),
        mean_return_interval=_interval_to(row.returns),
        carried_by=[_carrying_to(each) for each in row.returns.carried_by],
    )


def _interval_to(returns: Returns) -> ipb.IntervalEstimate | None:
    if returns.bounds is None:
        return None
    return ipb.IntervalEstimate(value=returns.mean, low=returns.bounds[0], high=returns.bounds[1])


def _carrying_to(carrying: CarryingSession) -> pb.CarryingSession:
    return pb.CarryingSession(
        day=f"{datetime.fromtimestamp(carrying.session * 86_400, UTC):%Y-%m-%d}",
        calls=carrying.calls,
        total_return=carrying.total,
        mean_without=carrying.mean_without,
    )
