"""Points of reliability diagrams for the wire."""

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import wilson
from glasstape_server.rpc.convert.predictions import direction_to


def reliability_point_to(
    stated: float, realized: float, count: int, direction: Direction | None = None
) -> pb.ReliabilityPoint:
    """Return the point with the 95 % interval of its realized share."""
    low, high = wilson(realized * count, count)
    return pb.ReliabilityPoint(
        direction=direction_to(direction),
        stated=stated,
        realized=realized,
        count=count,
        realized_low=low,
        realized_high=high,
    )
