"""Bars that windows are made of, as the server would hold them: the rows of files without those that it leaves out."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Ints
from glasstape_server.domain.limits import MAX_TIME
from glasstape_server.features.series import Series, from_columns, sessions
from glasstape_server.market.verdict_kinds import KINDS, RowVerdict
from glasstape_server.market.verdicts import COLUMN, VALUES, ordered, usable, with_verdicts
from glasstape_server.training.filled_bars import filled
from glasstape_server.training.level_changes import before_last_split, off_scale

_GAP = "gap"
"""Column: whether a row directly before was left out."""


@dataclass(frozen=True, slots=True)
class UsableBars:
    """Bars of whole symbols, by symbol and time."""

    frame: pl.DataFrame
    """Columns symbol, close_time, open, high, low, close, volume and gap: whether a row before was left out."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that were left out, by kind."""

    @classmethod
    def of(cls, rows: pl.DataFrame, accepted: Collection[str] = (), latest: int = MAX_TIME) -> "UsableBars":
        """Return the bars of rows as read by `market.files`, of whole symbols.

        Args:
            rows: columns symbol, close_time, open, high, low, close and volume.
            accepted: kinds of the data report whose bars are left out, too: future, scale, split and filled.
            latest: latest close time of a bar that is not of kind future, microseconds.
        """
        bars = cls._stored(rows)
        if "future" in accepted:
            late = (bars.frame["close_time"] > latest).to_numpy()
            bars = bars._without("future", late)
        for kind, mask_of in (("scale", off_scale), ("split", before_last_split), ("filled", filled)):
            if kind in accepted:
                before = pl.col("close").shift(1).over("symbol")
                bars = bars._without(kind, mask_of(bars.frame.with_columns(before=before)))
        return bars

    @classmethod
    def _stored(cls, rows: pl.DataFrame) -> "UsableBars":
        """Return the bars that a server stores and makes windows of."""
        judged = with_verdicts(ordered(rows))
        counts = dict(judged[COLUMN].value_counts().iter_rows())
        left_out = Counter(
            {kind.name: sum(counts.get(int(each), 0) for each in kind.verdicts) for kind in KINDS}
        )
        columns = judged.select("symbol", "close_time", *VALUES, COLUMN)
        if not left_out.total():
            return cls(columns.drop(COLUMN).with_columns(pl.lit(False).alias(_GAP)))
        # A repeat leaves no gap: its bar is there.
        repeat = pl.col(COLUMN).is_in([RowVerdict.EQUAL_REPEAT, RowVerdict.CONFLICTING_REPEAT])
        missing = (~usable(pl.col(COLUMN)) & ~repeat).cum_sum().over("symbol")
        kept = columns.with_columns(missing=missing).filter(usable(pl.col(COLUMN)))
        gap = (pl.col("missing") != pl.col("missing").shift(1).over("symbol")).fill_null(False)
        return cls(kept.with_columns(gap.alias(_GAP)).drop(COLUMN, "missing"), +left_out)

    def _without(self, kind: str, mask: NDArray[np.bool_]) -> "UsableBars":
        if not mask.any():
            return self
        missing = pl.Series(mask).cum_sum()
        kept = self.frame.with_columns(missing=missing).filter(~pl.Series(mask))
        before = pl.col("missing").shift(1).over("symbol")
        gap = pl.col(_GAP) | (pl.col("missing") != before).fill_null(False)
        left_out = self.left_out + Counter({kind: int(mask.sum())})
        return UsableBars(kept.with_columns(gap.alias(_GAP)).drop("missing"), left_out)

    def each_series(self, interval: str, time_zone: str) -> Iterator[tuple[str, Series, NDArray[np.bool_]]]:
        """Yield name, bars and gaps (bar,) of each symbol, ordered by name.

        Args:
            interval: of the bars.
            time_zone: of trading days.
        """
        for symbol, columns in self._each_symbol("close_time", *VALUES, _GAP):
            close_time = columns[0].astype(np.int64)
            days = sessions(close_time, interval, time_zone)
            series = from_columns(close_time, np.stack(columns[1:-1]), days, time_zone)
            yield symbol, series, columns[-1]

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of the bars of each symbol, ordered by time."""
        return {
            symbol: hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()
            for symbol, columns in self._each_symbol("close_time", *VALUES)
        }

    def first_closes(self) -> dict[str, int]:
        """Return the first close time of each symbol, microseconds."""
        return {symbol: int(times[0]) for symbol, (times,) in self._each_symbol("close_time")}

    def _each_symbol(self, *names: str) -> Iterator[tuple[str, list[np.ndarray]]]:
        runs = self.frame["symbol"].rle().struct.unnest()
        columns = [self.frame[name].to_numpy() for name in names]
        start = 0
        for symbol, count in zip(runs["value"], runs["len"], strict=True):
            yield symbol, [column[start : start + count] for column in columns]
            start += count


def longest_session(sessions_of_bars: Ints) -> int:
    """Return the bars of the longest trading day, of the days of the bars of one symbol, (bar,)."""
    starts = np.flatnonzero(np.diff(sessions_of_bars)) + 1
    return int(np.diff(np.concatenate([[0], starts, [len(sessions_of_bars)]])).max(initial=0))
