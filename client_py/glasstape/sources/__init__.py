"""Markets that bars come from: `glasstape follow` and `glasstape fetch`, and the interface for sources of one's own."""

from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from glasstape.sources.source import Source

__all__ = [
    "CredentialsError",
    "RateLimitedError",
    "Source",
    "SourceError",
    "SourceUnavailableError",
    "UnknownSymbolError",
]
