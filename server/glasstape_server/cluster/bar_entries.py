"""Entries of the stream of bars: batches, removals and renamings, with the market time at which each was received."""

from dataclasses import asdict, astuple, dataclass
from typing import Any

import msgpack

from glasstape_server.domain.bars import Bar, Instrument, SeriesKey
from glasstape_server.market.draft import Batch, BatchMode

FORMAT = 1
"""Of entries. A version reads its own format and those before."""


class InvalidBarEntry(Exception):
    """This version cannot read an entry; the text says why."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Bars of a series are removed."""

    key: SeriesKey
    first: int
    """First close time to remove, microseconds."""
    last: int
    """Last close time to remove."""
    principal: str


@dataclass(frozen=True, slots=True)
class Renaming:
    """A symbol is renamed."""

    symbol: str
    new_symbol: str
    principal: str


Change = Batch | Removal | Renaming


@dataclass(frozen=True, slots=True)
class BarEntry:
    """A change of the stored bars, as it was received."""

    entry_id: str
    """Random, of the call that sent it."""
    received: int
    """Market time of the server that received it, microseconds: rules about the clock are decided by it."""
    change: Change


def encode(entry: BarEntry) -> bytes:
    """Return the bytes of an entry."""
    change = entry.change
    body: dict[str, Any]
    match change:
        case Batch():
            body = {
                "kind": "batch",
                "bars": [astuple(bar) for bar in change.bars],
                "instruments": [asdict(item) for item in change.instruments],
                "mode": int(change.mode),
                "principal": change.principal,
            }
        case Removal():
            body = {"kind": "remove", **asdict(change)}
        case Renaming():
            body = {"kind": "rename", **asdict(change)}
    packed: bytes = msgpack.packb(
        {"format": FORMAT, "entry_id": entry.entry_id, "received": entry.received, **body}
    )
    return packed


def decode(payload: bytes) -> BarEntry:
    """Return an entry of its bytes.

    Raises:
        InvalidBarEntry: this version cannot read it.
    """
    try:
        fields: dict[str, Any] = msgpack.unpackb(payload, use_list=False)
        version = fields["format"]
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise InvalidBarEntry(f"not an entry of bars: {error}") from None
    if version > FORMAT:
        raise InvalidBarEntry(
            f"format {version}, expected {FORMAT}: a newer version wrote it; update this server"
        )
    try:
        return BarEntry(fields["entry_id"], fields["received"], _change(fields))
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidBarEntry(f"malformed entry of kind {fields.get('kind')!r}: {error!r}") from None


def _change(fields: dict[str, Any]) -> Change:
    match fields["kind"]:
        case "batch":
            return Batch(
                [Bar(*columns) for columns in fields["bars"]],
                [Instrument(**item) for item in fields["instruments"]],
                BatchMode(fields["mode"]),
                fields["principal"],
            )
        case "remove":
            return Removal(fields["key"], fields["first"], fields["last"], fields["principal"])
        case "rename":
            return Renaming(fields["symbol"], fields["new_symbol"], fields["principal"])
    raise ValueError(f"kind {fields['kind']!r} is unknown; update this server")
