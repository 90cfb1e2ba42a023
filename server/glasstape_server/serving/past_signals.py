"""Past signals: the exact window and model of that moment, from the journal."""

from collections.abc import Callable

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import (
    FailedPrecondition,
    GlasstapeError,
    InvalidArgument,
    OutOfRange,
)
from glasstape_server.domain.signals import Buy, Event, Kind, ModelRef, Signal
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.serving.items import Item, check_count, set_previous
from glasstape_server.serving.requests import SignalRefs
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.records import Selection


class PastSignals:
    """Resolves sequences of confidences and buys. Private methods run on a journal reader thread."""

    def __init__(self, repository: Repository, hub: Hub, decode: Callable[[bytes, ModelRef], Event]) -> None:
        self._repository = repository
        self._hub = hub
        self._decode = decode

    async def items(self, refs: SignalRefs, call: Call, with_previous: bool) -> list[Item]:
        """Return an item for each sequence; one outside the journal, or of an outcome, gets an error.

        Raises:
            InvalidArgument: no sequence, or too many.
            FailedPrecondition: the journal's epoch is another one.
            DeadlineExceeded: the call was canceled, or its deadline passed.
        """
        check_count("input.signals.sequences", len(refs.sequences))
        epoch = self._hub.bounds.epoch.hex()
        if refs.epoch and refs.epoch != epoch:
            raise FailedPrecondition(
                "EPOCH_CHANGED",
                f"input.signals.epoch: must be {epoch}, is {refs.epoch[:64]!r}",
                metadata={"epoch": epoch},
            )

        def read_all() -> list[Item]:
            items = []
            for sequence in refs.sequences:
                call.check_open()
                items.append(self._item(sequence, with_previous))
            return items

        return await self._hub.run_on_reader_thread(read_all)

    def _item(self, sequence: int, with_previous: bool) -> Item:
        history, bounds = self._hub.history, self._hub.bounds
        record = history.record(sequence) if bounds.earliest <= sequence <= bounds.head else None
        if record is None:
            error = OutOfRange(
                "SEQUENCE_OUT_OF_RANGE",
                f"input.signals.sequences: must be {bounds.earliest}-{bounds.head}, is {sequence}",
                metadata={"sequence": str(sequence)},
            )
            return Item(error=error)
        window = history.window(sequence)
        if window is None:
            rule = f"must name a confidence or a buy, {sequence} is an outcome"
            return Item(error=InvalidArgument.field("input.signals.sequences", rule))
        event = self._decode(record.payload, record.model)
        signal = event.body.signal if isinstance(event.body, Buy) else event.body
        item = Item(
            symbol=event.symbol,
            bar_close_time=event.bar_close_time,
            missing_bars=signal.missing_bars if isinstance(signal, Signal) else 0,
            missing_symbols=signal.missing_symbols if isinstance(signal, Signal) else 0,
            rank_score=signal.rank_score if isinstance(signal, Signal) else None,
            journaled=signal.confidence,
        )
        try:
            item.model = self._repository.by_digest(record.model.digest)
            item.window = np.frombuffer(window, dtype="<f4").reshape(item.model.window_shape)
        except GlasstapeError as error:
            item.error = error
            return item
        if with_previous:
            set_previous(item, self._window_before(event, item.model))
        return item

    def _window_before(self, event: Event, model: Model) -> Float32s | None:
        """Return the window of the signal before a past one; None: there is none of the same features."""
        history = self._hub.history
        selection = Selection(symbols=frozenset({event.symbol}), kinds=frozenset({Kind.CONFIDENCE}))
        for record in history.page(selection, 1, event.sequence - 1, 8, True):
            window = history.window(record.sequence)
            earlier = self._decode(record.payload, record.model)
            same = earlier.interval == event.interval and earlier.bar_close_time < event.bar_close_time
            if same and window is not None:
                if earlier.model.feature_spec_hash != model.ref.feature_spec_hash:
                    return None
                return np.frombuffer(window, dtype="<f4").reshape(model.window_shape)
        return None
