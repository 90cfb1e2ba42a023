"""The track record of past signals."""

from dataclasses import dataclass

from glasstape.types.enums import Direction
from glasstape.types.inference import ReliabilityPoint, SkillSplit
from glasstape.types.live import IntervalEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryingSession:
    """A session that a mean return rests on."""

    day: str
    """UTC day of the signals' closes, "2024-05-31"."""
    calls: int
    """Calls of that session."""
    total_return: float
    """Sum of their log returns in the predicted direction, without costs."""
    mean_without: float
    """Mean log return of all calls without this session and those listed before it; 0 if none is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """Figures of one group of outcomes."""

    predicted: Direction | None
    """None: UP and DOWN together."""
    count: int
    """Outcomes in the group."""
    hits: int
    """Outcomes whose realized class equals the predicted class."""
    hit_rate: float | None
    """hits / count, 0-1; None, as the figures that follow, if the group is empty."""
    hit_rate_low: float | None
    """95 % interval of the hit rate, lower end; Wilson's, clustered by session."""
    hit_rate_high: float | None
    """95 % interval of the hit rate, upper end."""
    base_rate: float | None
    """Hit rate of these calls without knowledge of the direction: (hits + opposites) / (2 count). From a server that
    does not count opposites: that of the same calls on random bars."""
    mean_return: float | None
    """Mean log return in the predicted direction, without costs."""
    net_return: float | None
    """Mean log return after the cost of entry and exit."""
    sessions: int
    """Sessions (UTC days) with such outcomes."""
    model: str
    """"name@version", if grouped by model."""
    symbol: str
    """If grouped by symbol."""
    confidence: tuple[float, float] | None
    """Band of the winning confidence, if grouped by it."""
    opposites: int | None = None
    """Outcomes whose realized class is the opposite of the predicted one; the others were FLAT. None: not counted."""
    edge: IntervalEstimate | None = None
    """(hits - opposites) / count, -1 to 1: twice the hit rate above its base; None if the group is empty."""
    moved_hit_rate: IntervalEstimate | None = None
    """hits / (hits + opposites), 0-1: right when it moved; its base is one half. None: nothing moved."""
    kept: int | None = None
    """Calls that were not abstained. None: not counted."""
    skill: SkillSplit | None = None
    """Of all outcomes of the group, FLAT predictions included. None for UP and for DOWN alone."""
    mean_return_interval: IntervalEstimate | None = None
    """`mean_return` with its 95 % interval, by session; that of `net_return` is shifted by the same costs. None: fewer
    than two sessions, or the server does not compute it."""
    carried_by: tuple[CarryingSession, ...] = ()
    """The sessions that contribute most to `mean_return`, until it is 0 or has the other sign without them; five at
    most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecords:
    """Track record of past signals."""

    records: tuple[TrackRecord, ...]
    """UP, DOWN and both together; FLAT predictions are not scored."""
    outcomes: int
    """Outcomes of every predicted class."""
    brier_score: float | None
    """Mean, 0 (perfect) - 2; a uniform forecast scores 0.667. None: no outcomes."""
    log_loss: float | None
    """Mean, in nats; a uniform forecast scores 1.0986. None: no outcomes."""
    reliability: tuple[ReliabilityPoint, ...]
    """Of the winning class and of each class, lowest confidence first."""
    left_out: int
    """Outcomes of bars that may be in their model's training and validation data: those of its symbols, up to
    `Model.seen_until`. Not counted."""
    skill: SkillSplit | None = None
    """Of these outcomes. None: fewer than two sessions, or the training windows of no model are known."""
    backlog_bars: int = 0
    """Stored bars of all symbols whose signals are not published yet: their outcomes are missing here."""
    open_signals: int = 0
    """Published signals of all symbols and models that have no outcome yet."""
