"""Verdicts: what becomes of each row of bars when it is published, over whole frames.

`verdict_of` and `with_verdicts` are one definition, for one bar and for columns. The server, the data report,
training, evaluation and `glasstape doctor` use it, so that training sees what serving would.
"""

import polars as pl
from glasstape.symbols import is_symbol

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.limits import MAX_PRICE, MAX_TIME, MIN_PRICE
from glasstape_server.market.rules import broken_rules
from glasstape_server.market.verdict_kinds import RowVerdict

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
COLUMN = "verdict"


def verdict_of(bar: Bar) -> RowVerdict:
    """Return the verdict on one bar by its own fields: of a rejected bar, the first rule that it breaks."""
    broken = broken_rules(bar)
    if broken:
        kind, violation = broken[0]
        name = kind if kind in ("symbol", "time", "volume") else f"{kind}_{violation.field}"
        return RowVerdict[name.upper()]
    if bar.halted:
        return RowVerdict.HALTED
    return RowVerdict.NO_TRADE if bar.no_trade else RowVerdict.GOOD


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Return bars by symbol and time; of equal ones, the order is kept."""
    return frame.sort("symbol", "close_time", maintain_order=True)


def with_verdicts(bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars with a column `verdict`, uint8.

    Args:
        bars: columns symbol, close_time (microseconds UTC), open, high, low, close and volume, as `ordered` returns
            them. An absent number is null or NaN; of a halted bar, open, high and low may be null instead of 0.
    """
    bars = bars.with_columns(_absent_filled(bars))
    names = bars["symbol"].rle().struct.field("value").unique().to_list()
    invalid = [name for name in names if not is_symbol(name)]
    plain = not invalid and bars.select(_PLAIN.all()).item()
    own = pl.lit(RowVerdict.GOOD, pl.UInt8) if plain else _own_verdict(invalid)
    bars = bars.with_columns(own.alias(COLUMN))
    same = (pl.col("symbol") == pl.col("symbol").shift(1)) & (
        pl.col("close_time") == pl.col("close_time").shift(1)
    )
    return _with_repeats(bars) if bars.select(same.any()).item() else bars


def usable(verdict: pl.Expr) -> pl.Expr:
    """Return whether bars of a verdict are in windows: stored, not halted and not without trades."""
    return verdict == RowVerdict.GOOD


def _absent_filled(bars: pl.DataFrame) -> list[pl.Expr]:
    absent = [name for name in VALUES if bars[name].null_count()]
    if not absent:
        return []
    halted = pl.all_horizontal(pl.col("open", "high", "low").is_null())
    return [
        pl.when(halted).then(0.0).otherwise(pl.col(name).fill_null(float("nan"))).alias(name)
        if name in ("open", "high", "low")
        else pl.col(name).fill_null(float("nan"))
        for name in absent
    ]


_PLAIN = (
    pl.col("close_time").is_between(1, MAX_TIME)
    & (pl.col("low") >= MIN_PRICE)
    & (pl.col("high") <= MAX_PRICE)
    & pl.col("open").is_between(pl.col("low"), pl.col("high"))
    & pl.col("close").is_between(pl.col("low"), pl.col("high"))
    & (pl.col("volume") > 0)
    & (pl.col("volume") <= MAX_PRICE)
)
"""Whether a row is good but for its symbol, except that bars without volume are left to `_own_verdict`: most files have
no other rows, and this is several times faster."""


def _own_verdict(invalid_symbols: list[str]) -> pl.Expr:
    """Return the verdict by a row's own fields, in the order of `rules.broken_rules`.

    NaN is the largest number to polars: a comparison with a finite maximum excludes it.
    """
    halted = (
        (pl.col("open") == 0)
        & (pl.col("high") == 0)
        & (pl.col("low") == 0)
        & (pl.col("close") > 0)
        & pl.col("close").is_not_nan()
    )
    rules: list[tuple[pl.Expr, RowVerdict]] = []
    if invalid_symbols:
        rules.append((pl.col("symbol").is_in(invalid_symbols), RowVerdict.SYMBOL))
    rules.append(((pl.col("close_time") <= 0) | (pl.col("close_time") > MAX_TIME), RowVerdict.TIME))
    rules.append((halted & (pl.col("close") > MAX_PRICE), RowVerdict.PRICE_CLOSE))
    rules += [
        (~halted & _outside(name, MIN_PRICE), verdict)
        for name, verdict in zip(PRICES, PRICE_VERDICTS, strict=True)
    ]
    rules.append((pl.col("high") < pl.col("low"), RowVerdict.BAND_HIGH))
    for name, verdict in (("open", RowVerdict.BAND_OPEN), ("close", RowVerdict.BAND_CLOSE)):
        outside = (pl.col(name) < pl.col("low")) | (pl.col(name) > pl.col("high"))
        rules.append((~halted & outside, verdict))
    rules.append((_outside("volume", 0.0), RowVerdict.VOLUME))
    rules.append((halted, RowVerdict.HALTED))
    rules.append(((pl.col("volume") == 0) & (pl.col("high") == pl.col("low")), RowVerdict.NO_TRADE))
    chain = pl.lit(RowVerdict.GOOD, pl.UInt8)
    for condition, verdict in reversed(rules):
        chain = pl.when(condition).then(pl.lit(verdict, pl.UInt8)).otherwise(chain)
    return chain


PRICE_VERDICTS = (RowVerdict.PRICE_OPEN, RowVerdict.PRICE_HIGH, RowVerdict.PRICE_LOW, RowVerdict.PRICE_CLOSE)


def _outside(name: str, least: float) -> pl.Expr:
    return (pl.col(name) < least) | (pl.col(name) > MAX_PRICE)


def _with_repeats(bars: pl.DataFrame) -> pl.DataFrame:
    """Set the verdict of rows whose symbol and close time an earlier row has that was not rejected."""
    key = ("symbol", "close_time")
    taken = pl.col(COLUMN) <= RowVerdict.HALTED
    first = {name: pl.col(name).filter(taken).first().over(*key) for name in VALUES}
    repeat = taken & (taken.cum_sum().over(*key) > 1)
    equal = pl.all_horizontal(*(pl.col(name) == values for name, values in first.items()))
    verdict = (
        pl.when(equal)
        .then(pl.lit(RowVerdict.EQUAL_REPEAT, pl.UInt8))
        .otherwise(pl.lit(RowVerdict.CONFLICTING_REPEAT, pl.UInt8))
    )
    return bars.with_columns(pl.when(repeat).then(verdict).otherwise(pl.col(COLUMN)).alias(COLUMN))
