"""Encodings of the web wire: binary and JSON. Handlers take and return encoded messages."""

from dataclasses import dataclass
from typing import Any, TypeVar

from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import Message

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.transport.web_errors import connect_error

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WebMessage:
    """An encoded message and its type."""

    payload: bytes
    kind: type[Message]


class _Binary(Codec[WebMessage, Any]):
    """Encoded messages as they are; the handlers decode them."""

    def name(self) -> str:
        """See Codec."""
        return "proto"

    def encode(self, message: WebMessage) -> bytes:
        """See Codec."""
        return message.payload

    def decode(self, data: bytes | bytearray, message_class: type[Any]) -> bytes:
        """See Codec."""
        return bytes(data)


class _Json(Codec[WebMessage, Any]):
    """JSON as protobuf maps it. A field that the contract does not have is an error: it may be misspelled."""

    def name(self) -> str:
        """See Codec."""
        return "json"

    def encode(self, message: WebMessage) -> bytes:
        """See Codec."""
        decoded = message.kind.FromString(message.payload)
        return json_format.MessageToJson(decoded, indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: type[Any]) -> bytes:
        """See Codec.

        Raises:
            ConnectError: the text is no such message.
        """
        if not data.lstrip().startswith(b"{"):  # json_format takes an empty list for a message
            rule = f"must be a {message_class.DESCRIPTOR.full_name} in JSON, an object"
            raise connect_error(InvalidArgument.field("request", rule))
        try:
            return bytes(json_format.Parse(bytes(data), message_class()).SerializeToString())
        except UnicodeDecodeError:
            raise connect_error(InvalidArgument.field("request", "must be JSON in UTF-8")) from None
        except json_format.ParseError as error:
            rule = f"must be a {message_class.DESCRIPTOR.full_name} in JSON: {error}"
            raise connect_error(InvalidArgument.field("request", rule)) from None
        except RecursionError:
            raise ConnectError(Code.INVALID_ARGUMENT, "request: is nested too deeply") from None


CODECS: tuple[Codec[WebMessage, Any], ...] = (_Binary(), _Json())
"""Encodings that requests may have."""
