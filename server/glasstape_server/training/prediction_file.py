"""Predictions of windows as a Parquet file, from which a reader recomputes what a report states."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import softmax
from glasstape_server.models.artifact import load
from glasstape_server.storage import files
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.fit import logits_of
from glasstape_server.training.training_split import TrainingSplit

SUFFIX = ".parquet"
CLASSES = tuple(direction.name.lower() for direction in Direction)
"""Names of the columns of probabilities."""


def check_path(path: Path) -> None:
    """Check that a file of predictions can be written, before anything is fitted.

    Raises:
        ValueError: it is not named as Parquet, or its folder does not exist.
        OSError: its folder cannot be written to.
    """
    if path.suffix != SUFFIX:
        raise ValueError(f"--save-predictions: must end in {SUFFIX}, is {str(path)!r}")
    if path.is_dir() or not path.parent.is_dir():
        reason = "is a folder" if path.is_dir() else f"its folder {path.parent} does not exist"
        raise ValueError(f"--save-predictions {path}: {reason}")
    files.check_writable(path.parent)


def frame_of(
    windows: Dataset,
    probabilities: Floats | Float32s,
    labels: Ints,
    returns: Floats,
    prior: Floats | Float32s,
    **constant: object,
) -> pl.DataFrame:
    """Return predictions of windows.

    Args:
        windows: their windows, n.
        probabilities: calibrated, (n, 3), in the type that is to be written.
        labels: realized class indices, (n,).
        returns: log returns that determined them, (n,).
        prior: class shares of all training windows, (3,).
        constant: values of further columns that are the same for all windows.

    Returns:
        Columns symbol, close_time (UTC) and those of `constant`, then down, flat, up, label, return, prior_down,
        prior_flat and prior_up.
    """
    symbols = pl.Series(windows.symbols, dtype=pl.String)[windows.symbol.astype(np.int64)]
    close_time = pl.Series(windows.close_time).cast(pl.Datetime("us", "UTC"))
    stated = {name: probabilities[:, column] for column, name in enumerate(CLASSES)}
    return pl.DataFrame(
        {
            "symbol": symbols,
            "close_time": close_time,
            **stated,
            "label": labels.astype(np.int8),
            "return": returns,
        }
    ).select(
        "symbol",
        "close_time",
        *(pl.lit(value).alias(name) for name, value in constant.items()),
        pl.exclude("symbol", "close_time"),
        *(pl.lit(float(share)).alias(f"prior_{name}") for name, share in zip(CLASSES, prior, strict=True)),
    )


def write(path: Path, frames: Iterable[pl.DataFrame]) -> None:
    """Write predictions, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with files.replacing(path) as draft:
        pl.concat(list(frames)).write_parquet(draft)


def write_trained(path: Path, data: TrainingSplit, folders: Sequence[Path]) -> None:
    """Write the predictions of trained models for the windows of validation and of the check.

    Args:
        path: the file; column model is NAME@VERSION, column fold is validation or check.
        data: of the run.
        folders: artifacts of its models.

    Raises:
        OSError: the file cannot be written.
        ArtifactError: an artifact is damaged.
    """
    shares = np.bincount(data.labels[0], minlength=3) / len(data.labels[0])
    parts = [("validation", data.validation, data.examples[1])]
    if data.check is not None:
        parts.append(("check", data.check.data, data.check.examples))
    frames = []
    for folder in folders:
        model = load(folder)
        name = f"{model.manifest.name}@{model.manifest.version}"
        for part, windows, examples in parts:
            stated = softmax(logits_of(model.scorer.network, examples), model.manifest.temperature)
            labels, returns = windows.outcomes(data.rule)
            frames.append(frame_of(windows, stated, labels, returns, shares, model=name, fold=part))
    write(path, frames)
