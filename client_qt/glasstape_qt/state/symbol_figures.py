"""What the table shows of each symbol beside its newest signal: recent bars, and what came of earlier signals."""

from glasstape import Instrument, OutcomeEvent

from glasstape_qt.state.recent_bars import RecentBars
from glasstape_qt.state.symbol_record import SymbolRecord


class SymbolFigures:
    """Recent bars and outcomes by symbol."""

    def __init__(self) -> None:
        self.records: dict[str, SymbolRecord] = {}
        """What came of the signals of each symbol."""
        self._recent_bars: dict[str, RecentBars] = {}

    def recent_bars(self, symbol: str) -> RecentBars:
        """Return the newest bars of a symbol, as far as they are known."""
        return self._recent_bars.setdefault(symbol, RecentBars())

    def add_outcome(self, event: OutcomeEvent) -> None:
        """Add an outcome to the record of its symbol."""
        self.records.setdefault(event.symbol, SymbolRecord()).add(event)


class InstrumentBook(dict[str, Instrument]):
    """Described instruments by symbol."""

    def __init__(self) -> None:
        super().__init__()
        self._placeholders: dict[str, Instrument] = {}

    def of(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol; without a description, one with its code only."""
        known = self.get(symbol) or self._placeholders.get(symbol)
        if known is None:
            known = self._placeholders[symbol] = Instrument(symbol=symbol)
        return known
