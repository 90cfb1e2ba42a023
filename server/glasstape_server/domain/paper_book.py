"""A simulated portfolio that trades at closes, one close after the other.

At each close, `PaperBook.fill` executes the orders of an earlier close, and `PaperBook.place` makes the orders that the
next closes fill. The number of units of an order is fixed when it is placed, so that no price decides on a trade at
that price. A replay of the past and a live feed use it in the same way.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.times import DAY

Mask = NDArray[np.bool_]
YEAR = 365 * DAY
"""Microseconds over which a yearly rate is charged."""


@dataclass(frozen=True, slots=True)
class CostRates:
    """Costs as shares of the traded value, 0-1."""

    commission: float = 0.0
    """Of buys and sells: broker and exchange."""
    half_spread: float = 0.0
    """Of buys and sells: from the close to the price that is paid, half of the spread and the impact."""
    sell_tax: float = 0.0
    """Of sells: transaction taxes and fees."""
    borrow: float = 0.0
    """Of short positions, for each year."""

    @property
    def buy(self) -> float:
        """Cost of a buy."""
        return self.commission + self.half_spread

    @property
    def sell(self) -> float:
        """Cost of a sell."""
        return self.commission + self.half_spread + self.sell_tax


@dataclass(frozen=True, slots=True)
class MarketClose:
    """One close of a market, of all symbols of a book."""

    time: int
    """Microseconds."""
    prices: Floats
    """Last known price, (symbol,); NaN before the first bar."""
    buyable: Mask
    """Whether a buy is filled at this close, (symbol,): a bar with trades, not at its upper price limit."""
    sellable: Mask
    """Whether a sell is filled at this close, (symbol,): a bar with trades, not at its lower price limit."""
    ended: Mask
    """Whether the symbol has had its last bar, (symbol,): what is held of it ends at its last price."""


@dataclass(frozen=True, slots=True)
class Fills:
    """What happened at a close. Values are in units of the capital."""

    bought: float = 0.0
    sold: float = 0.0
    commission: float = 0.0
    spread: float = 0.0
    tax: float = 0.0
    borrow: float = 0.0
    closed: int = 0
    """Positions that ended."""
    gained: int = 0
    """Of these, positions that brought more than they cost, after costs."""
    ended: int = 0
    """Positions that ended because their symbol did."""
    unfilled: int = 0
    """Orders that could not be filled at this close, and wait."""

    @property
    def costs(self) -> float:
        """All costs."""
        return self.commission + self.spread + self.tax + self.borrow


@dataclass(slots=True)
class PaperBook:
    """Cash, positions and waiting orders. Units are fractional; there is no credit, and cash earns nothing."""

    symbols: int
    cash: float = 1.0
    quantity: Floats = field(init=False)
    """Units held, (symbol,); negative: short."""
    waiting: Floats = field(init=False)
    """Units of orders that are not filled, (symbol,); negative: sells."""
    _flow: Floats = field(init=False)
    """Cash that each open position has brought so far, costs included, (symbol,)."""
    _time: int | None = field(init=False, default=None)
    """Newest close, microseconds."""

    def __post_init__(self) -> None:
        self.quantity, self.waiting, self._flow = (np.zeros(self.symbols) for _ in range(3))

    @property
    def intended(self) -> Floats:
        """Units that are held once all orders are filled, (symbol,)."""
        return self.quantity + self.waiting

    def values(self, prices: Floats) -> Floats:
        """Return the value of each position, (symbol,)."""
        return np.where(self.quantity != 0, self.quantity * prices, 0.0)

    def equity(self, prices: Floats) -> float:
        """Return cash and positions at prices (symbol,)."""
        return self.cash + float(self.values(prices).sum())

    def fill(self, close: MarketClose, rates: CostRates) -> Fills:
        """Execute waiting orders at a close, later than the one at which they were placed.

        Sells come first. Buys are reduced, all by the same factor, where they would take more than the cash. An order
        that cannot be filled waits.

        Args:
            close: prices, and what can be traded.
            rates: costs at that time.

        Raises:
            ValueError: the close is not later than the one before.
        """
        if self._time is not None and close.time <= self._time:
            raise ValueError(f"close: must be after {self._time}, is {close.time}")
        borrow = self._charge_borrowing(close, rates)
        ended = close.ended & (self.quantity != 0)
        orders = np.where(close.ended, -self.quantity, self.waiting)
        can = np.where(orders > 0, close.buyable, close.sellable) | close.ended
        traded = np.where(can & np.isfinite(close.prices), orders, 0.0)
        value = np.where(traded != 0, traded * close.prices, 0.0)
        sold = -float(value[value < 0].sum())
        wanted = float(value[value > 0].sum())
        affordable = max(0.0, self.cash + sold * (1 - rates.sell)) / (1 + rates.buy)
        if wanted > affordable:
            scale = affordable / wanted
            traded, value = (np.where(value > 0, each * scale, each) for each in (traded, value))
        bought = float(value[value > 0].sum())
        costs = np.where(value > 0, value * rates.buy, -value * rates.sell)
        self.cash -= float(value.sum() + costs.sum())
        closed, gained = self._settle(traded, value + costs)
        self.waiting = np.where(can, 0.0, orders)
        return Fills(
            bought,
            sold,
            commission=(bought + sold) * rates.commission,
            spread=(bought + sold) * rates.half_spread,
            tax=sold * rates.sell_tax,
            borrow=borrow,
            closed=closed,
            gained=gained,
            ended=int(ended.sum()),
            unfilled=int((self.waiting != 0).sum()),
        )

    def place(self, weights: Floats, close: MarketClose) -> None:
        """Replace orders by those that lead to target weights, at the prices of this close; later closes fill them.

        Args:
            weights: of the equity, (symbol,), negative for short; NaN leaves a symbol's position and order as they are.
            close: the close of the decision, already passed to `fill`.

        Raises:
            ValueError: a weight is given for a symbol without a price.
        """
        decided = np.isfinite(weights)
        if not np.isfinite(close.prices[decided]).all():
            raise ValueError("weights: must be NaN for symbols without a price")
        target = np.zeros(self.symbols)
        target[decided] = weights[decided] * self.equity(close.prices) / close.prices[decided]
        self.waiting = np.where(decided, target - self.quantity, self.waiting)

    def _charge_borrowing(self, close: MarketClose, rates: CostRates) -> float:
        """Charge what short positions have cost since the last close, and return it."""
        elapsed = 0 if self._time is None else close.time - self._time
        self._time = close.time
        short = np.minimum(self.values(close.prices), 0.0)
        charges = -short * (rates.borrow * elapsed / YEAR)
        self._flow -= charges
        self.cash -= float(charges.sum())
        return float(charges.sum())

    def _settle(self, traded: Floats, paid: Floats) -> tuple[int, int]:
        """Add trades (symbol,) that took cash (symbol,); return how many positions ended, and how many gained.

        A trade from long to short is one position.
        """
        before = self.quantity != 0
        self.quantity = self.quantity + traded
        self._flow -= paid
        closed = before & (self.quantity == 0)
        gained = int((closed & (self._flow > 0)).sum())
        self._flow[self.quantity == 0] = 0.0
        return int(closed.sum()), gained
