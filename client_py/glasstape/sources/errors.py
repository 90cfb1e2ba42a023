"""Errors of sources. `glasstape follow` retries those that may pass; the others end it with their text."""

from datetime import timedelta


class SourceError(Exception):
    """A source failed for good: the request, an option or the account must change first."""


class UnknownSymbolError(SourceError):
    """The source has no such symbol, or no longer: delisted. Other symbols of the source are unaffected."""

    def __init__(self, symbol: str, reason: str = "the source has no such symbol") -> None:
        super().__init__(f"{symbol}: {reason}")
        self.symbol = symbol


class CredentialsError(SourceError):
    """Missing, invalid or insufficient credentials. The text never contains them."""


class SourceUnavailableError(SourceError):
    """A lost connection, a time-out, maintenance or an answer that cannot be read: retrying may help.

    Args:
        reason: what failed, one sentence.
        retry_after: shortest pause before the next attempt, as the source requests it; None: not stated.
    """

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RateLimitedError(SourceUnavailableError):
    """The source received too many requests."""
