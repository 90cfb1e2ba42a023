"""Interface between a market and `glasstape follow` and `glasstape fetch`.

A source is a class that subclasses `Source` and is named in the entry-point group `glasstape.sources`:

    [project.entry-points."glasstape.sources"]
    mymarket = "mypackage.mymarket:MyMarket"

It converts a market's own messages into `Bar`s. Back-off, filling of gaps, removal of duplicates and publishing are
not its concern.
"""

import argparse
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Self

from glasstape.types.market import Bar, Instrument


class Source(ABC):
    """A market that bars come from. All methods run on one event loop and must not block it."""

    help: ClassVar[str]
    """One line for `glasstape follow --help`."""

    sparse: ClassVar[bool] = False
    """Whether an interval without trades has no bar. False: a bar that `live` left out is fetched by `history` before
    later ones of its symbol are published."""

    @classmethod  # noqa: B027  # sources without options have nothing to add
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the source's own options; credentials are never among them."""

    @classmethod
    @abstractmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        """Return a source made from parsed options.

        Raises:
            CredentialsError: credentials are missing from environment, key ring and file.
            SourceError: an option is invalid, or the library of the source is not installed.
        """

    @abstractmethod
    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """Return descriptions of symbols, as far as the market has them.

        Raises:
            UnknownSymbolError: the market has no such symbol.
            SourceUnavailableError: retrying may help.
        """

    @abstractmethod
    def history(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Bar]]:
        """Yield pages of final bars with `start < close_time <= end`, oldest first.

        A bar is final when the market's own clock is past its close and the market cannot change it any more. A
        page may be empty; bars of one close time appear once.

        Args:
            symbol: as on this market.
            interval: a key of `INTERVALS`.
            start: exclusive, with a time zone.
            end: inclusive, with a time zone; not after `now()`, so that bars until `end` are final.

        Raises:
            UnknownSymbolError: the market has no such symbol, or removed it.
            SourceError: it has no bars of this interval.
            SourceUnavailableError: retrying may help; pages yielded so far stay valid.
        """

    @abstractmethod
    def live(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Bar]:
        """Yield bars as they form (`provisional=True`) and close, until the connection is lost.

        Duplicates, late bars and gaps are allowed: the caller removes and fills them. It ends or raises when the
        connection is lost, and is called again then. A bar is final only if its last message was certainly received;
        otherwise leave it provisional, and the caller fetches it by `history` after its close.

        Args:
            symbols: as on this market.
            interval: a key of `INTERVALS`.

        Raises:
            UnknownSymbolError: the market removed a symbol.
            SourceUnavailableError: the connection is lost.
        """

    async def now(self) -> datetime:
        """Return the market's own time, with a time zone. Default: this machine's.

        Raises:
            SourceUnavailableError: retrying may help.
        """
        return datetime.now(UTC)

    async def close(self) -> None:  # noqa: B027  # optional
        """Close connections. Called once."""
