"""What an update of the store changed."""

from dataclasses import dataclass, field

from glasstape import OutcomeEvent

from glasstape_qt.state.alerts import AlertGroup, AlertNotification


@dataclass
class StoreChanges:
    """What an update changed: views repaint that and nothing else."""

    rows: set[str] = field(default_factory=set)
    """Symbols whose row changed."""
    quotes: set[str] = field(default_factory=set)
    """Symbols whose live price changed."""
    flashed: bool = False
    """A class changed, or a symbol entered UP."""
    buys: bool = False
    """The list of buys changed."""
    outcomes: list[OutcomeEvent] = field(default_factory=list)
    alerts: list[AlertGroup] = field(default_factory=list)
    notification: AlertNotification | None = None
    described: bool = False
    """Models or instruments were described."""
    reset: bool = False
    """The server started a new history; earlier events are void."""
