"""Enums of streams: where they begin, how they deliver and why they end, under the short names of the contract."""

from enum import StrEnum, auto


class Start(StrEnum):
    """Where a stream without a resume token begins."""

    SNAPSHOT = auto()
    """The latest confidence of each symbol and every unexpired buy, then live."""
    LIVE = auto()
    """Only what happens from now on."""
    EARLIEST = auto()
    """Everything in the journal, then live."""


class Delivery(StrEnum):
    """How confidences are delivered to a slow subscriber."""

    CONFLATED = auto()
    """A newer confidence of the same symbol replaces one still waiting."""
    EVERY_EVENT = auto()
    """Every event is delivered, however far behind the subscriber is."""


class OpenResult(StrEnum):
    """How the server took the resume token."""

    UNSPECIFIED = auto()
    """Not stated."""
    STARTED = auto()
    """The stream began as `Start` says: there was no token."""
    RESUMED = auto()
    """The stream continues after the token."""
    RESET = auto()
    """The token could not be used: the stream begins with a snapshot."""


class ResetReason(StrEnum):
    """Why a token could not be used."""

    UNSPECIFIED = auto()
    """Not stated: the token was usable, or there was none."""
    EPOCH_CHANGED = auto()
    """The token belongs to another history of the journal."""
    HISTORY_LOST = auto()
    """The journal lost events that the token covers."""


class GapReason(StrEnum):
    """Why matching events were not delivered."""

    UNSPECIFIED = auto()
    """Not stated."""
    NOT_RETAINED = auto()
    """Retention removed them from the journal."""


class GoodbyeReason(StrEnum):
    """Why the server ended a stream."""

    UNSPECIFIED = auto()
    """Not stated."""
    DRAIN = auto()
    """The server shuts down."""
    EPOCH_CHANGED = auto()
    """The journal's history was replaced."""
