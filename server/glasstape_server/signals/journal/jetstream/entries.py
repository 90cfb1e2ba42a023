"""Entries of the journal's stream: bursts of events, the beginning of an epoch, and the removal of old events."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Kind, ModelRef
from glasstape_server.signals.journal.batch import EventBatch
from glasstape_server.signals.journal.chain import follows
from glasstape_server.signals.journal.records import Position, Record

FORMAT = 1
"""Of entries. A version reads its own format and those before."""
_WINDOW_TYPE = "<f4"


class InvalidEntry(Exception):
    """An entry does not follow what was applied, or this version cannot read it; the text says which."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Events that were committed together, with what is stored beside them."""

    records: Sequence[Record]
    windows: Float32s
    """Input of each confidence among the records, in their order, (confidence, time, feature)."""
    progress: dict[SeriesKey, int]
    """Close time of the newest processed bar of each series, microseconds."""
    resolved: Sequence[int]
    """Sequences of the confidences that the outcomes resolve."""


@dataclass(frozen=True, slots=True)
class EpochBegun:
    """A new epoch: resume tokens of the one before no longer resume."""

    epoch: bytes
    before: bytes
    """The epoch that is over."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Events before `earliest` are removed."""

    earliest: int


Applicable = Burst | EpochBegun | Pruned


def encode_burst(batch: EventBatch, records: Sequence[Record], after: Position) -> bytes:
    """Return the entry of a batch whose events follow `after`."""
    models = list(dict.fromkeys(record.model for record in records))
    numbers = {model: number for number, model in enumerate(models)}
    return _packed(
        "burst",
        after=after.sequence,
        models=[(m.name, m.version, m.digest, m.feature_spec_hash) for m in models],
        records=[
            (
                r.event_id, int(r.kind), r.symbol, r.interval, numbers[r.model], r.winning, r.expire_time,
                r.payload, r.chain,
            )
            for r in records
        ],
        shape=batch.windows.shape[1:],
        windows=batch.windows.astype(_WINDOW_TYPE, copy=False).tobytes(),
        progress=[(*key, time) for key, time in batch.progress.items()],
        resolved=batch.resolved,
    )  # fmt: skip


def encode_epoch(epoch: bytes, before: bytes) -> bytes:
    """Return the entry that begins an epoch."""
    return _packed("epoch", epoch=epoch, before=before)


def encode_prune(earliest: int) -> bytes:
    """Return the entry that removes the events before `earliest`."""
    return _packed("prune", earliest=earliest)


def burst_id(batch: EventBatch, after: Position) -> str:
    """Return the id of a batch's entry: the same for the same decisions of any server."""
    if len(batch):
        return entry_id(*batch.event_ids)
    return entry_id(repr((after, sorted(batch.progress.items()))).encode())


def entry_id(*parts: bytes) -> str:
    """Return the id of an entry of its content: BLAKE2b-128."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()


def decode(payload: bytes, after: Position) -> Applicable:
    """Return an entry. A burst is checked against the chain: it must follow `after`.

    Raises:
        InvalidEntry: it does not, or this version cannot read it.
    """
    try:
        fields: dict[str, Any] = msgpack.unpackb(payload, use_list=False)
        version, kind = fields["format"], fields["kind"]
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise InvalidEntry(f"not an entry of a journal: {error}") from None
    if version > FORMAT:
        raise InvalidEntry(
            f"format {version}, expected {FORMAT}: a newer version wrote it; update this server"
        )
    try:
        match kind:
            case "burst":
                return _burst(fields, after)
            case "epoch":
                return EpochBegun(fields["epoch"], fields["before"])
            case "prune":
                return Pruned(int(fields["earliest"]))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise InvalidEntry(f"malformed entry of kind {kind}: {error!r}") from None
    raise InvalidEntry(f"kind {kind!r} is unknown; update this server")


def _burst(fields: dict[str, Any], after: Position) -> Burst:
    if fields["after"] != after.sequence:
        raise InvalidEntry(f"events follow event {fields['after']}, the journal ends at {after.sequence}")
    models = [ModelRef(*columns) for columns in fields["models"]]
    records, chain = [], after.chain
    for sequence, (event_id, kind, symbol, interval, model, *rest) in enumerate(
        fields["records"], after.sequence + 1
    ):
        record = Record(sequence, event_id, Kind(kind), symbol, interval, models[model], *rest)
        if not follows(chain, record):
            raise InvalidEntry(f"event {sequence} does not follow the chain of the journal")
        chain = record.chain
        records.append(record)
    confidences = sum(record.kind is Kind.CONFIDENCE for record in records)
    windows = np.frombuffer(fields["windows"], _WINDOW_TYPE).reshape(confidences, *fields["shape"])
    progress = {(symbol, interval): time for symbol, interval, time in fields["progress"]}
    return Burst(records, windows, progress, fields["resolved"])


def _packed(kind: str, **fields: object) -> bytes:
    packed: bytes = msgpack.packb({"format": FORMAT, "kind": kind, **fields})
    return packed
