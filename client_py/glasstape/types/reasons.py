"""Reasons of errors."""

from enum import StrEnum, auto


class ErrorReason(StrEnum):
    """Why a call or an item failed: the text of `google.rpc.ErrorInfo.reason`. errors.proto describes each."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    INVALID_FIELD = auto()
    TOO_MANY_ITEMS = auto()
    MESSAGE_TOO_LARGE = auto()
    WINDOW_INVALID = auto()
    BAR_INVALID = auto()
    BAR_OUT_OF_ORDER = auto()
    BAR_CONFLICT = auto()
    BAR_NOT_FOUND = auto()
    TOO_FEW_BARS = auto()
    WINDOW_UNUSABLE = auto()
    SYMBOL_NOT_FOUND = auto()
    MODEL_NOT_FOUND = auto()
    METHOD_NOT_SERVED = auto()
    NO_PREVIOUS_SIGNAL = auto()
    SEQUENCE_OUT_OF_RANGE = auto()
    EPOCH_CHANGED = auto()
    TOKEN_TOO_OLD = auto()
    TOKEN_AHEAD = auto()
    SLOW_CONSUMER = auto()
    QUEUE_FULL = auto()
    QUOTA_EXCEEDED = auto()
    STORAGE_FULL = auto()
    LOADING = auto()
    DRAINING = auto()
    JOURNAL_UNAVAILABLE = auto()
    EXTRA_MISSING = auto()
    DEADLINE_EXCEEDED = auto()
    TOKEN_MISSING = auto()
    TOKEN_MALFORMED = auto()
    TOKEN_UNKNOWN = auto()
    TOKEN_EXPIRED = auto()
    TOKEN_REVOKED = auto()
    TOKEN_CHANGED = auto()
    SCOPE_MISSING = auto()
    NOT_IMPLEMENTED = auto()
    JOURNAL_DAMAGED = auto()
    JOURNAL_TOO_NEW = auto()
    BARS_DAMAGED = auto()
    INTERNAL = auto()
