"""Reasons of errors, as in errors.proto."""

from enum import StrEnum, auto


class ErrorReason(StrEnum):
    """Why a call or an item failed: the text of `google.rpc.ErrorInfo.reason`. The text below is the contract's."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    INVALID_FIELD = auto()
    """A field breaks a rule: the violations name field, rule and value."""
    TOO_MANY_ITEMS = auto()
    """More items in one call than `ServerLimits.max_items`."""
    MESSAGE_TOO_LARGE = auto()
    """A message, or the answer it asks for, exceeds `ServerLimits.max_message_bytes`."""
    WINDOW_INVALID = auto()
    """A window holds NaN or infinity."""
    BAR_INVALID = auto()
    """A bar breaks a rule: the violations name field, rule and value."""
    BAR_OUT_OF_ORDER = auto()
    """A final bar is older than the last one of its series: send it as BAR_MODE_BACKFILL."""
    BAR_CONFLICT = auto()
    """A final bar of that close time is stored with other values."""
    BAR_NOT_FOUND = auto()
    """BAR_MODE_REPLACE: no final bar of that close time is stored."""
    TOO_FEW_BARS = auto()
    """Fewer bars than `Model.min_bars`."""
    WINDOW_UNUSABLE = auto()
    """The bars make no window: halted, without trades, or a feature is undefined."""
    SYMBOL_NOT_FOUND = auto()
    """The server has no bars of it."""
    MODEL_NOT_FOUND = auto()
    """There is no such model, or not in that version."""
    METHOD_NOT_SERVED = auto()
    """The model cannot serve the method; the message lists those it can."""
    NO_PREVIOUS_SIGNAL = auto()
    """BASELINE_PREVIOUS: the symbol has no earlier signal."""
    SEQUENCE_OUT_OF_RANGE = auto()
    """The sequence is outside the journal."""
    EPOCH_CHANGED = auto()
    """The journal's epoch is not the one that the request names."""
    TOKEN_TOO_OLD = auto()
    """The resume token lies before the journal's first event: open a stream without it, with START_EARLIEST or a
    snapshot."""
    TOKEN_AHEAD = auto()
    """The resume token is ahead of this server, which has not caught up."""
    SLOW_CONSUMER = auto()
    """The subscriber did not keep up; nothing is lost."""
    QUEUE_FULL = auto()
    """The device's queue, or the queue of bars to store, is full."""
    QUOTA_EXCEEDED = auto()
    """The caller's quota is used up."""
    STORAGE_FULL = auto()
    """The disk is full or refuses writes; nothing was stored."""
    LOADING = auto()
    """The server is starting: no model is loaded yet."""
    DRAINING = auto()
    """The server is shutting down."""
    JOURNAL_UNAVAILABLE = auto()
    """The journal or the bars cannot be written or reached now."""
    EXTRA_MISSING = auto()
    """The server was started without an optional dependency; the message names it."""
    DEADLINE_EXCEEDED = auto()
    """The call was canceled, or its deadline passed, before the work began."""
    TOKEN_MISSING = auto()
    """No bearer token was sent."""
    TOKEN_MALFORMED = auto()
    """The authorization header is not "Bearer" with one token."""
    TOKEN_UNKNOWN = auto()
    """The server does not know the token."""
    TOKEN_EXPIRED = auto()
    """The token has expired."""
    TOKEN_REVOKED = auto()
    """The token was revoked."""
    TOKEN_CHANGED = auto()
    """Its scopes changed while the stream was open."""
    SCOPE_MISSING = auto()
    """The token lacks the scope that metadata `scope` names."""
    NOT_IMPLEMENTED = auto()
    """The server has no such method, or not this option of it."""
    JOURNAL_DAMAGED = auto()
    """The journal is damaged."""
    JOURNAL_TOO_NEW = auto()
    """The journal was written by a newer version."""
    BARS_DAMAGED = auto()
    """Stored bars are damaged."""
    INTERNAL = auto()
    """A defect of the server: its log has it under metadata `request`."""
    BAR_NOT_CLOSED = auto()
    """The close of a final bar is ahead of market time; send it as provisional until then."""
    METADATA_TOO_LARGE = auto()
    """The metadata of a call exceeds 8 KiB: keys, values and 32 bytes an entry."""
    BROKER_UNAVAILABLE = auto()
    """A cluster's server takes no bars: no majority of the brokers answers it. What the call sent may be stored; to
    send it again is safe."""
