"""What the server is, for the wire."""

from collections.abc import Sequence

from glasstape.v1 import inference_pb2 as pb

from glasstape_server import __version__
from glasstape_server.rpc.convert.stream import CONTRACT_VERSION
from glasstape_server.rpc.convert.subscription import MAX_SYMBOLS, MAX_TOKEN_BYTES
from glasstape_server.rpc.handlers import MAX_MESSAGE_BYTES, MAX_PAGE_SIZE
from glasstape_server.serving.items import MAX_ITEMS
from glasstape_server.serving.plan import MAX_BACKGROUND


def server_info_to(wires: Sequence[str], features: Sequence[str]) -> pb.GetServerInfoResponse:
    """Return versions, limits, wires and optional features."""
    return pb.GetServerInfoResponse(
        contract_version=CONTRACT_VERSION,
        server_version=__version__,
        limits=pb.ServerLimits(
            max_items=MAX_ITEMS,
            max_message_bytes=MAX_MESSAGE_BYTES,
            max_page_size=MAX_PAGE_SIZE,
            max_filter_symbols=MAX_SYMBOLS,
            max_token_bytes=MAX_TOKEN_BYTES,
            max_background_windows=MAX_BACKGROUND,
        ),
        wires=wires,
        features=features,
    )
