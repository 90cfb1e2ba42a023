"""Bars that a source filled in where nothing was traded, with a volume that hides it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasstape_server.market.verdicts import PRICES

MIN_BARS = 20
"""Bars of unchanged prices that are judged, at least."""
FLAT_SHARE = 0.5
"""Share of them after which the close stays, too, from which they count as filled."""


def filled(bars: pl.DataFrame) -> NDArray[np.bool_]:
    """Return whether each bar was filled in, (bar,).

    Such a bar has one price, that of the close before, or all four prices of the bar before. Windows over a run of them
    are FLAT by themselves, which is no skill. On a market that trades, a price moves on after such a bar; if it stays
    after most of them, all count as filled.

    Args:
        bars: usable bars of whole symbols by symbol and time, with the close before each in `before`.
    """
    one_price = (pl.col("high") == pl.col("low")) & (pl.col("close") == pl.col("before"))
    same = pl.all_horizontal(*(pl.col(name) == pl.col(name).shift(1).over("symbol") for name in PRICES))
    # The return of a window starts at the next close, so that it is 0 if the one after is equal.
    flat = pl.col("close").shift(-1).over("symbol") == pl.col("close").shift(-2).over("symbol")
    judged = bars.select(still=(one_price | same).fill_null(False), flat=flat)
    known = judged.filter(pl.col("still") & pl.col("flat").is_not_null())
    if known.height < MIN_BARS or float(known["flat"].mean()) < FLAT_SHARE:  # type: ignore[arg-type]
        return np.zeros(bars.height, dtype=np.bool_)
    return judged["still"].to_numpy()
