"""A session in memory: as messages for who plays it, as values for who reads it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from glasstape._convert.explanation import explanations_from
from glasstape._convert.inference import model_from
from glasstape._convert.market import bar_from, instrument_from, instrument_to
from glasstape._convert.outgoing import event_to, model_to
from glasstape._convert.signals import event_from, message_from, track_records_from
from glasstape._session.frames import Frame, FrameWriter, Kind, read_frames
from glasstape.errors import DataLossError
from glasstape.types.enums import Method
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Model
from glasstape.types.market import Bar, Instrument
from glasstape.types.signals import Event, StreamMessage, TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb


@dataclass
class Tape:
    """Everything of a session as messages of the wire."""

    responses: list[tuple[float, spb.SignalsResponse]] = field(default_factory=list)
    """(seconds since the beginning, message)."""
    models: list[ipb.Model] = field(default_factory=list)
    instruments: list[mpb.Instrument] = field(default_factory=list)
    bars: list[mpb.Bar] = field(default_factory=list)
    events: list[spb.Event] = field(default_factory=list)
    explanations: dict[int, list[ipb.ExplainResponse]] = field(default_factory=dict)
    """By sequence of the signal."""
    track_record: spb.GetTrackRecordResponse = field(default_factory=spb.GetTrackRecordResponse)


def read_tape(path: Path) -> Tape:
    """Read a session.

    Raises:
        InvalidRequestError, DataLossError, OSError: see `read_frames`.
    """
    tape = Tape()
    for frame in read_frames(path):
        try:
            _take(tape, frame)
        except DecodeError:
            raise DataLossError(f"{path.name}: the frame at {frame.seconds:.1f} s cannot be read") from None
    return tape


def _take(tape: Tape, frame: Frame) -> None:
    data = frame.data
    match frame.kind:
        case Kind.RESPONSE:
            tape.responses.append((frame.seconds, spb.SignalsResponse.FromString(data)))
        case Kind.MODELS:
            tape.models = list(ipb.ListModelsResponse.FromString(data).models)
        case Kind.INSTRUMENTS:
            tape.instruments += mpb.ListInstrumentsResponse.FromString(data).instruments
        case Kind.BARS:
            tape.bars += mpb.ListBarsResponse.FromString(data).bars
        case Kind.EVENTS:
            tape.events += spb.ListSignalsResponse.FromString(data).events
        case Kind.EXPLANATION:
            sequence = int.from_bytes(data[:8], "little")
            tape.explanations.setdefault(sequence, []).append(ipb.ExplainResponse.FromString(data[8:]))
        case Kind.TRACK_RECORD:
            tape.track_record = spb.GetTrackRecordResponse.FromString(data)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A recorded session as values."""

    models: tuple[Model, ...]
    instruments: tuple[Instrument, ...]
    bars: tuple[Bar, ...]
    """History of the charts, from before the recording began."""
    events: tuple[Event, ...]
    """Signals and outcomes from before the recording began."""
    messages: tuple[tuple[float, StreamMessage], ...]
    """(seconds since the beginning, message)."""
    explanations: dict[int, tuple[Explanation, ...]]
    """By sequence of the signal."""
    track_record: TrackRecords


def read_session(path: str | Path) -> Session:
    """Read a session file.

    Raises:
        InvalidRequestError: not a session, or of a newer version.
        DataLossError: the file is damaged.
        OSError: it cannot be read.
    """
    tape = read_tape(Path(path))
    try:
        return _values(tape)
    except (KeyError, OverflowError, ValueError) as error:
        raise DataLossError(f"{Path(path).name} holds what the contract does not allow: {error!r}") from None


def _values(tape: Tape) -> Session:
    return Session(
        models=tuple(model_from(model) for model in tape.models),
        instruments=tuple(instrument_from(item) for item in tape.instruments),
        bars=tuple(bar_from(bar) for bar in tape.bars),
        events=tuple(event_from(event) for event in tape.events),
        messages=tuple(_messages(tape)),
        explanations={
            sequence: tuple(item for response in responses for item in explanations_from(response))
            for sequence, responses in tape.explanations.items()
        },
        track_record=track_records_from(tape.track_record),
    )


def _messages(tape: Tape) -> Iterator[tuple[float, StreamMessage]]:
    for seconds, response in tape.responses:
        message = message_from(response, Method.UNSPECIFIED)
        if message is not None:
            yield seconds, message


def write_session(
    path: str | Path,
    batches: Iterable[tuple[float, Iterable[Event]]],
    models: Iterable[Model] = (),
    instruments: Iterable[Instrument] = (),
    *,
    snapshot: bool = False,
) -> None:
    """Write events of your own as a session; the file is replaced whole.

    Args:
        path: a name ending in .gz is compressed.
        batches: (seconds since the beginning, events), oldest first; events keep their sequences.
        models: what the events were made by.
        instruments: what their symbols stand for.
        snapshot: mark the events as delivered before.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    partial = target.with_name("." + target.name)
    with FrameWriter(partial, packed=target.suffix == ".gz") as writer:
        writer.write(0.0, Kind.MODELS, ipb.ListModelsResponse(models=[model_to(model) for model in models]))
        known = mpb.ListInstrumentsResponse(instruments=[instrument_to(item) for item in instruments])
        writer.write(0.0, Kind.INSTRUMENTS, known)
        for seconds, events in batches:
            batch = spb.EventBatch(events=[event_to(e, e.sequence) for e in events], snapshot=snapshot)
            writer.write(seconds, Kind.RESPONSE, spb.SignalsResponse(batch=batch))
    partial.replace(target)
