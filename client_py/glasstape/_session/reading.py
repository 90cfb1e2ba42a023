"""A session in memory: as messages for the player, as values for readers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from glasstape._convert.common import checking
from glasstape._convert.events import events_from
from glasstape._convert.explanation import explanations_from
from glasstape._convert.market import bar_from, instrument_from, instrument_to
from glasstape._convert.models import model_from
from glasstape._convert.outgoing import event_to, model_to
from glasstape._convert.references import ModelTable, refs_from
from glasstape._convert.signals import message_from, track_records_from
from glasstape._session.frames import Frame, FrameWriter, Kind, read_frames
from glasstape.errors import DataLossError
from glasstape.replacing import replacing
from glasstape.types.enums import Method
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Model
from glasstape.types.market import Bar, Instrument
from glasstape.types.signals import Event, StreamMessage
from glasstape.types.track import TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb


@dataclass
class Tape:
    """A session as messages.

    The events of `responses` and `events` point into `models_table`, whatever table they were recorded with.
    """

    responses: list[tuple[float, spb.SignalsResponse]] = field(default_factory=list)
    """(seconds since the start, message)."""
    models_table: ModelTable = field(default_factory=ModelTable)
    models: list[ipb.Model] = field(default_factory=list)
    instruments: list[mpb.Instrument] = field(default_factory=list)
    bars: list[mpb.Bar] = field(default_factory=list)
    events: list[spb.Event] = field(default_factory=list)
    explanations: dict[int, list[ipb.ExplainResponse]] = field(default_factory=dict)
    """By sequence of the signal."""
    track_records: dict[str, spb.GetTrackRecordResponse] = field(default_factory=dict)
    """By symbol; "" is of all symbols."""

    def recorded_track(self, request: spb.GetTrackRecordRequest) -> spb.GetTrackRecordResponse | None:
        """Return the track record of a request; None if it was not recorded."""
        names = {model.ref.name for model in self.models}
        if len(request.symbols) > 1 or (request.model and names != {request.model}):
            return None
        if request.exclude_abstained or request.group_by or request.cost:
            return None
        return self.track_records.get(request.symbols[0] if request.symbols else "")


def read_tape(path: Path) -> Tape:
    """Return the session of a file.

    Raises:
        InvalidRequestError, DataLossError, OSError: see `read_frames`.
    """
    tape = Tape()
    for frame in read_frames(path):
        try:
            with checking(path.name):
                _add(tape, frame)
        except DecodeError:
            raise DataLossError(f"{path.name}: the frame at {frame.seconds:.1f} s cannot be read") from None
    models = tape.models_table.models
    for _, response in tape.responses:
        if response.HasField("batch"):
            response.batch.models.extend(models)
    return tape


def _add(tape: Tape, frame: Frame) -> None:
    data = frame.data
    match frame.kind:
        case Kind.RESPONSE:
            response = spb.SignalsResponse.FromString(data)
            if response.HasField("batch"):
                _reindex(tape, response.batch)
            tape.responses.append((frame.seconds, response))
        case Kind.MODELS:
            tape.models += ipb.ListModelsResponse.FromString(data).models
        case Kind.INSTRUMENTS:
            tape.instruments += mpb.ListInstrumentsResponse.FromString(data).instruments
        case Kind.BARS:
            tape.bars += mpb.ListBarsResponse.FromString(data).bars
        case Kind.EVENTS:
            page = spb.ListSignalsResponse.FromString(data)
            _reindex(tape, page)
            tape.events += page.events
        case Kind.EXPLANATION:
            sequence = int.from_bytes(data[:8], "little")
            tape.explanations.setdefault(sequence, []).append(ipb.ExplainResponse.FromString(data[8:]))
        case Kind.TRACK_RECORD:
            length = 4 + int.from_bytes(data[:4], "little")
            request = spb.GetTrackRecordRequest.FromString(data[4:length])
            symbol = request.symbols[0] if request.symbols else ""
            tape.track_records[symbol] = spb.GetTrackRecordResponse.FromString(data[length:])


def _reindex(tape: Tape, message: spb.EventBatch | spb.ListSignalsResponse) -> None:
    """Let the events of a message point into the table of the tape."""
    models = refs_from(message.models)
    for event in message.events:
        event.model_index = tape.models_table.index(models[event.model_index])
    del message.models[:]


def mark_replay(tape: Tape) -> None:
    """Set the data state of everything to REPLAY."""
    events = [*tape.events, *(event for _, response in tape.responses for event in response.batch.events)]
    for event in events:
        kind = event.WhichOneof("kind")
        if kind == "confidence":
            event.confidence.data_state = mpb.DATA_STATE_REPLAY
        elif kind == "buy":
            event.buy.signal.data_state = mpb.DATA_STATE_REPLAY
    for _, response in tape.responses:
        if response.HasField("heartbeat"):
            response.heartbeat.data_state = mpb.DATA_STATE_REPLAY


@dataclass(frozen=True, kw_only=True)
class Session:
    """A recorded session as values."""

    models: tuple[Model, ...]
    """The models of the recorded signals."""
    instruments: tuple[Instrument, ...]
    """Descriptions of the recorded symbols."""
    bars: tuple[Bar, ...]
    """History before the start of the recording."""
    events: tuple[Event, ...]
    """Signals and outcomes before the start of the recording."""
    messages: tuple[tuple[float, StreamMessage], ...]
    """(seconds since the start, message)."""
    explanations: dict[int, tuple[Explanation, ...]]
    """By sequence of the signal."""
    track_records: dict[str, TrackRecords]
    """By symbol; "" is of all symbols. Empty if none was recorded."""


def read_session(path: str | Path) -> Session:
    """Return the session of a file as values.

    Raises:
        InvalidRequestError: not a session, or of another version.
        DataLossError: the file is damaged.
        OSError: it cannot be read.
    """
    tape = read_tape(Path(path))
    with checking(Path(path).name):
        return _values(tape)


def _values(tape: Tape) -> Session:
    models = refs_from(tape.models_table.models)
    return Session(
        models=tuple(model_from(model) for model in tape.models),
        instruments=tuple(instrument_from(item) for item in tape.instruments),
        bars=tuple(bar_from(bar) for bar in tape.bars),
        events=tuple(events_from(tape.events, models)),
        messages=tuple(_messages(tape)),
        explanations={
            sequence: tuple(item for response in responses for item in explanations_from(response))
            for sequence, responses in tape.explanations.items()
        },
        track_records={symbol: track_records_from(track) for symbol, track in tape.track_records.items()},
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
    """Write events as a session file; an existing file is replaced when it is complete.

    Args:
        path: a name ending in .gz is compressed.
        batches: (seconds since the start, events), oldest first; events keep their sequences.
        models: descriptions of the events' models.
        instruments: descriptions of the events' symbols.
        snapshot: mark the events as part of a snapshot.

    Raises:
        OSError: the file cannot be written.
    """
    target = Path(path)
    with replacing(target) as draft, FrameWriter(draft, packed=target.suffix == ".gz") as writer:
        writer.write(0.0, Kind.MODELS, ipb.ListModelsResponse(models=[model_to(model) for model in models]))
        known = mpb.ListInstrumentsResponse(instruments=[instrument_to(item) for item in instruments])
        writer.write(0.0, Kind.INSTRUMENTS, known)
        for seconds, events in batches:
            table = ModelTable()
            batch = spb.EventBatch(
                events=[event_to(event, event.sequence, table) for event in events],
                models=table.models,
                snapshot=snapshot,
            )
            writer.write(seconds, Kind.RESPONSE, spb.SignalsResponse(batch=batch))
