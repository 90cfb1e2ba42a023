"""Scores of a paper book: from saved predictions, or from a model on bars that it was not made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import torch
from glasstape.barfile.content import is_parquet

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.signals import Direction, Entry
from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.times import SECOND
from glasstape_server.features.labels import LabelRule
from glasstape_server.market import parquet
from glasstape_server.models.model import Model
from glasstape_server.models.training_facts import TrainingFacts
from glasstape_server.storage import files
from glasstape_server.training import dataset
from glasstape_server.training.usable_bars import UsableBars

DIRECTION, UP = "direction", "up"
"""Scores from probabilities: p(UP) - p(DOWN), and p(UP)."""
WINDOWS_AT_ONCE = 1 << 16
_NO_LABEL = LabelRule(horizon_bars=0, entry=Entry.CURRENT_CLOSE)
"""With which a data set holds every window, whether its outcome is known or not."""
_NAMES = ("candidate", "model")
"""Columns that name whose predictions a row holds."""


@dataclass(frozen=True, slots=True)
class BookScores:
    """Scores of symbols and closes, and what their reader must know of them."""

    frame: pl.DataFrame
    """Columns symbol, close_time (microseconds) and score; one row for each symbol and close."""
    source: str
    """Whose scores they are."""
    notes: tuple[str, ...] = ()
    """Sentences about scores that were left out or joined."""


def score_of(name: str, probabilities: Floats) -> Floats:
    """Return scores, (n,), from probabilities (n, 3).

    Raises:
        ValueError: unknown score.
    """
    up = probabilities[:, Direction.UP]
    if name == DIRECTION:
        return up - probabilities[:, Direction.DOWN]
    if name == UP:
        return up
    raise ValueError(f"--score: must be {DIRECTION} or {UP}, is {name!r}")


def saved_scores(path: Path, score: str = DIRECTION, candidate: str = "") -> BookScores:
    """Return the scores of a Parquet file of predictions, as `--save-predictions` writes it.

    Rows of the fold "validation", which selected epoch and temperature of a model, are left out.

    Args:
        path: columns symbol, close_time, and down, flat and up (also p_down, p_flat and p_up) or a column of scores;
            several seeds are averaged.
        score: `DIRECTION`, `UP`, or a column.
        candidate: whose predictions, of column candidate or model; "": the only ones.

    Raises:
        ValueError: it is no such file, or holds predictions of several candidates.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"--predictions: {files.no_file(path)}: {path}")
    if not is_parquet(path):
        raise ValueError(f"--predictions: must be a Parquet file, as --save-predictions writes it, is {path}")
    parquet.check([path])
    try:
        rows = pl.read_parquet(path, glob=False)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None
    rows = rows.rename({f"p_{name}": name for name in ("down", "flat", "up") if f"p_{name}" in rows.columns})
    needed = ("down", "up") if score == DIRECTION else (score,)
    if missing := [name for name in ("symbol", "close_time", *needed) if name not in rows.columns]:
        raise ValueError(f"{path}: has no column {', '.join(missing)}; it has {', '.join(rows.columns)}")
    kind = rows.schema["close_time"]
    if not (kind.is_integer() or isinstance(kind, pl.Datetime)):
        raise ValueError(f"{path}: close_time: must be times, or microseconds since 1970, UTC, is {kind}")
    notes = []
    if rows.schema.get("fold") == pl.String and (
        selected := rows.filter(pl.col("fold") == "validation").height
    ):
        rows = rows.filter(pl.col("fold") != "validation")
        notes.append(
            f"{selected:,} predictions of the fold validation, which selected the model, are left out"
        )
    rows, name = _of_one(rows, path, candidate)
    value = pl.col("up") - pl.col("down") if score == DIRECTION else pl.col(score)
    try:
        scores = rows.select(
            pl.col("symbol").cast(pl.String),
            _microseconds(kind).alias("close_time"),
            value.cast(pl.Float64).alias("score"),
        )
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None
    distinct = scores.group_by("symbol", "close_time").agg(pl.col("score").mean())
    if distinct.height < scores.height:
        notes.append(
            f"{scores.height:,} predictions of {distinct.height:,} windows: several of one are averaged"
        )
    return BookScores(distinct, f"{name or 'predictions'} of {path.name}", tuple(notes))


def _of_one(rows: pl.DataFrame, path: Path, candidate: str) -> tuple[pl.DataFrame, str]:
    """Return the rows of one candidate, and its name; "" if the rows name none.

    Raises:
        ValueError: there is no such candidate, or there are several and none is named.
    """
    column = next((name for name in _NAMES if name in rows.columns), None)
    if column is None:
        if candidate:
            raise ValueError(f"--candidate: {path} has neither a column candidate nor model")
        return rows, ""
    known = rows[column].cast(pl.String).unique().sort().to_list()
    if candidate and candidate not in known:
        raise ValueError(f"--candidate: must be one of {', '.join(known)} in {path}, is {candidate!r}")
    if not candidate and len(known) > 1:
        raise ValueError(f"--candidate: {path} holds several, choose one of {', '.join(known)}")
    chosen = candidate or (known[0] if known else "")
    return rows.filter(pl.col(column).cast(pl.String) == chosen), chosen


def _microseconds(kind: pl.DataType) -> pl.Expr:
    """Return the expression of close times, of integers (microseconds) or times; those without a zone are UTC."""
    if isinstance(kind, pl.Datetime):
        return pl.col("close_time").dt.timestamp("us")
    return pl.col("close_time").cast(pl.Int64)


def model_scores(
    model: Model, bars: Iterable[UsableBars], time_zone: str, score: str = DIRECTION
) -> BookScores:
    """Return the scores of a model at all closes after those of its training and validation.

    Args:
        model: its calibrated probabilities are scored.
        bars: of all symbols, of the model's interval.
        time_zone: of trading days.
        score: `DIRECTION` or `UP`.

    Raises:
        ValueError: there is no window, or none after the model's training and validation.
    """
    data = dataset.build(bars, model.manifest.interval, model.spec, _NO_LABEL, time_zone)
    seen = TrainingFacts.of(model.manifest).seen_until
    later = np.flatnonzero(data.close_time > seen)
    name = f"{model.manifest.name}@{model.manifest.version}"
    until = datetime.fromtimestamp(seen / SECOND, UTC).isoformat(" ", "minutes")
    if not len(later):
        newest = datetime.fromtimestamp(int(data.close_time[-1]) / SECOND, UTC).isoformat(" ", "minutes")
        raise ValueError(
            f"data: {name} was made of bars until {until}, and these end at {newest}: use later bars, or predictions "
            "of `glasstape evaluate --save-predictions`"
        )
    parts = []
    for start in range(0, len(later), WINDOWS_AT_ONCE):
        with torch.no_grad():
            logits = model.scorer(torch.from_numpy(data.windows(later[start : start + WINDOWS_AT_ONCE])))
        parts.append(score_of(score, softmax(logits.double().numpy(), model.manifest.temperature)))
    frame = pl.DataFrame(
        {
            "symbol": pl.Series(data.symbols, dtype=pl.String)[data.symbol[later].astype(np.int64)],
            "close_time": data.close_time[later],
            "score": np.concatenate(parts),
        }
    )
    return BookScores(frame, name, (f"closes up to {until}, of training and validation, are left out",))
