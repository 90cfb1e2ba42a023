"""Track records for the wire."""

from dataclasses import dataclass

from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_COST
from glasstape_server.rpc.convert.predictions import direction_to
from glasstape_server.rpc.convert.reliability import reliability_point_to
from glasstape_server.signals.performance.track_record import Group, TrackRecord


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


def track_record_to(track: TrackRecord, left_out: int) -> pb.GetTrackRecordResponse:
    """Return the response."""
    return pb.GetTrackRecordResponse(
        records=[
            pb.TrackRecord(
                predicted=direction_to(r.predicted),
                count=r.count,
                hits=r.hits,
                hit_rate=r.hit_rate if r.count else None,
                hit_rate_low=r.hit_rate_low,
                hit_rate_high=r.hit_rate_high,
                base_rate=r.base_rate,
                mean_return=r.mean_return,
                net_return=r.net_return,
                sessions=r.sessions,
                model=r.model,
                symbol=r.symbol,
                confidence_low=r.band[0] if r.band[1] else None,
                confidence_high=r.band[1] or None,
            )
            for r in track.records
        ],
        outcomes=track.outcomes,
        brier_score=track.brier_score,
        log_loss=track.log_loss,
        reliability=[
            reliability_point_to(point.stated, point.realized, point.count, point.direction)
            for point in track.reliability
        ],
        left_out=left_out,
    )
