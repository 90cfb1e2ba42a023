"""What the server is, for the wire."""

from collections.abc import Sequence

from glasstape.v1 import inference_pb2 as pb

from glasstape_server import __version__
from glasstape_server.domain import limits
from glasstape_server.rpc.convert.stream import CONTRACT_VERSION


def server_info_to(wires: Sequence[str], features: Sequence[str]) -> pb.GetServerInfoResponse:
    """Return versions, limits, wires and optional features."""
    return pb.GetServerInfoResponse(
        contract_version=CONTRACT_VERSION,
        server_version=__version__,
        limits=pb.ServerLimits(
            max_items=limits.MAX_ITEMS,
            max_message_bytes=limits.MAX_MESSAGE_BYTES,
            max_page_size=limits.MAX_PAGE_SIZE,
            max_filter_symbols=limits.MAX_SYMBOLS,
            max_token_bytes=limits.MAX_TOKEN_BYTES,
            max_background_windows=limits.MAX_BACKGROUND_WINDOWS,
        ),
        wires=wires,
        features=features,
    )
