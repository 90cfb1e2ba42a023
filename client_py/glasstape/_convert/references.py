"""Model references: messages hold each once, in a table, and point into it."""

from collections.abc import Iterable
from functools import lru_cache

from glasstape.types.inference import ModelRef
from glasstape.v1 import inference_pb2 as pb


def ref_from(message: pb.ModelRef) -> ModelRef:
    """Return a model's identity."""
    return _ref(message.name, message.version, message.digest, message.feature_spec_hash)


@lru_cache(maxsize=256)
def _ref(name: str, version: str, digest: str, feature_spec_hash: str) -> ModelRef:
    return ModelRef(name=name, version=version, digest=digest, feature_spec_hash=feature_spec_hash)


def refs_from(messages: Iterable[pb.ModelRef]) -> tuple[ModelRef, ...]:
    """Return the table of a message. An index beyond it raises IndexError, which is a DataLossError in the end."""
    return tuple(ref_from(message) for message in messages)


def ref_to(ref: ModelRef) -> pb.ModelRef:
    """Return the message of a model's identity."""
    return pb.ModelRef(
        name=ref.name, version=ref.version, digest=ref.digest, feature_spec_hash=ref.feature_spec_hash
    )


class ModelTable:
    """Builds the table of one message."""

    def __init__(self) -> None:
        self._indexes: dict[ModelRef, int] = {}

    @property
    def models(self) -> list[pb.ModelRef]:
        """Return the table so far."""
        return [ref_to(ref) for ref in self._indexes]

    def index(self, ref: ModelRef) -> int:
        """Return the index of a model, added if it is new."""
        return self._indexes.setdefault(ref, len(self._indexes))
