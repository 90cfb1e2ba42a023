"""Encoders of predictions and explanations of ready windows, by the batch.

`PlainEncoder` builds messages and is the definition; `packed.PackedEncoder` writes the same messages faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.signals import Forecasts
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.explanations import explanation_to
from glasstape_server.rpc.convert.predictions import ModelTable, prediction_to
from glasstape_server.serving.explanation import MapBatch
from glasstape_server.serving.items import Item


@dataclass(frozen=True, slots=True)
class Encoded:
    """Elements of a response's repeated field, each with its tag, one after the other."""

    data: bytes
    ends: Sequence[int]
    """Row r is `data[ends[r]:ends[r + 1]]`; one more than there are rows."""

    def rows(self, first: int, end: int) -> bytes:
        """Return the bytes of some rows."""
        return self.data[self.ends[first] : self.ends[end]]

    @classmethod
    def of(cls, rows: Sequence[bytes]) -> "Encoded":
        """Join encoded rows."""
        return cls(b"".join(rows), list(accumulate(map(len, rows), initial=0)))


class Encoder(Protocol):
    """Encodes batches of one model, whose index in the message's model table is 0. Safe on any thread."""

    def predictions(self, model: Model, stated: Forecasts) -> Encoded:
        """Return `PredictResponse.predictions`, one for each row."""
        ...

    def explanations(self, batch: MapBatch) -> Encoded:
        """Return `ExplainResponse.results`, one for each row."""
        ...


class PlainEncoder:
    """Encodes one message at a time."""

    def predictions(self, model: Model, stated: Forecasts) -> Encoded:
        """See `Encoder.predictions`."""
        rows = [
            pb.PredictResponse(
                predictions=[
                    prediction_to(
                        Item(model=model, rank_score=stated.rank_score(row)),
                        stated.confidence(row),
                        ModelTable(),
                    )
                ]
            )
            for row in range(len(stated.logits))
        ]
        return Encoded.of([row.SerializeToString() for row in rows])

    def explanations(self, batch: MapBatch) -> Encoded:
        """See `Encoder.explanations`."""
        return Encoded.of([self.explanation(batch, row) for row in range(len(batch))])

    def explanation(self, batch: MapBatch, row: int) -> bytes:
        """Return one row of `explanations`."""
        message = explanation_to(batch.explanation(row), batch.include, batch.quality, ModelTable())
        result = pb.ExplanationResult(explanation=message)
        return pb.ExplainResponse(results=[result]).SerializeToString()
