"""Errors of ccxt as errors of sources."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)


@contextmanager
def translated_errors(exchange: Any, symbol: str = "") -> Iterator[None]:
    """Translate the errors of ccxt.

    Raises:
        UnknownSymbolError: BadSymbol.
        CredentialsError: AuthenticationError and its subclasses.
        RateLimitedError: RateLimitExceeded, DDoSProtection; with the pause of `Retry-After`.
        SourceError: the request itself is wrong.
        SourceUnavailableError: any other error of ccxt, and what its parsers raise over an unreadable answer.
    """
    import ccxt

    try:
        yield
    except ccxt.BadSymbol as error:
        raise UnknownSymbolError(symbol, _text(error)) from error
    except ccxt.AuthenticationError as error:
        raise CredentialsError(_text(error)) from error
    except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
        raise RateLimitedError(_text(error), _retry_after(exchange)) from error
    except (ccxt.NotSupported, ccxt.BadRequest, ccxt.ArgumentsRequired) as error:
        raise SourceError(_text(error)) from error
    except ccxt.BaseError as error:
        raise SourceUnavailableError(_text(error), _retry_after(exchange)) from error
    except (TypeError, ValueError, LookupError, AttributeError) as error:  # ccxt meets a page instead of JSON
        raise SourceUnavailableError(f"an answer cannot be read: {_text(error)}") from error


def _text(error: Exception) -> str:
    """Return the first line of an error, shortened: exchanges answer with whole pages."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{type(error).__name__}: {lines[0][:200]}"


def _retry_after(exchange: Any) -> timedelta | None:
    headers = {key.lower(): value for key, value in (exchange.last_response_headers or {}).items()}
    try:
        return timedelta(seconds=float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
