"""Records of single maps of the known-truth benchmark: a table with one row per map."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from glasstape_server.bench.truth_task import TruthTask

SCHEMA: dict[str, type[pl.DataType]] = {
    "method": pl.String,
    "score": pl.String,
    "window": pl.Int32,
    "label": pl.Int32,
    "precision": pl.Float32,
    "ranked_precision": pl.Float32,
    "chance": pl.Float32,
    "probability": pl.Float32,
    "margin": pl.Float32,
    "concentration": pl.Float32,
    "native_cells": pl.Int32,
    "cells": pl.Int32,
    "sign_agreement": pl.Float32,
    "deletion_mean": pl.Float32,
    "random_deletion_mean": pl.Float32,
    "ratio_mean": pl.Float32,
    "deletion_resampled": pl.Float32,
    "random_deletion_resampled": pl.Float32,
    "ratio_resampled": pl.Float32,
    "verdict": pl.String,
    "trust": pl.Float32,
}
"""Columns of a map, beside those of its task.

window: number among the explained windows of the task, the same for every method. label: class index.
precision: average precision of |map|; ranked_precision: of |map| in units that are comparable across features, in which
drivers, pictures and evidence rank the cells; chance: that expected of a random map. Missing without salient cells.
probability: of the predicted class, at the model's temperature.
margin: logit of the predicted class minus that of the next.
native_cells, cells: of the map at the resolution of its method, and of the window.
concentration: sum of the squared shares of the native cells, from 1 / cells to 1.
The others are of quality FULL: see `evidence.Evidence`. A ratio is the deletion of the
strongest cells divided by that of random ones.
verdict: its name.
trust: 0-1, missing for degenerate maps.
"""
WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
}
"""Writer by the ending of the file's name."""
READERS: dict[str, Callable[[Path], pl.DataFrame]] = {".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}
"""Reader by the ending of the file's name."""


def of_task(maps: pl.DataFrame, task: TruthTask, accuracy: float, checks: dict[str, float]) -> pl.DataFrame:
    """Return records with the columns of their task and of the checks of its model in front.

    Args:
        maps: records with the columns of `SCHEMA`.
        task: that the maps belong to.
        accuracy: of its model on the test windows, 0-1.
        checks: value of each check of the model.
    """
    return maps.select(
        pl.lit(task.kind).alias("set"),
        pl.lit(task.shape).alias("shape"),
        pl.lit(task.architecture).alias("network"),
        pl.lit(task.seed).alias("seed"),
        pl.lit(task.permuted).alias("permuted"),
        pl.lit(accuracy, pl.Float32).alias("accuracy"),
        pl.lit(checks.get("skill"), pl.Float32).alias("skill"),
        pl.all(),
    )


def check_path(path: Path) -> None:
    """Check that records can be written to a file.

    Raises:
        ValueError: the ending of its name is not one of `WRITERS`, or its folder does not exist.
    """
    if path.suffix not in WRITERS:
        raise ValueError(f"--maps: must end with {' or '.join(WRITERS)}, is {path}")
    if not path.parent.is_dir():
        raise ValueError(f"--maps: folder {path.parent} does not exist")


def read(paths: Sequence[Path]) -> pl.DataFrame:
    """Return the records of several files.

    Raises:
        ValueError: the ending of a name is not one of `READERS`, or the file is missing.
    """
    for path in paths:
        if path.suffix not in READERS or not path.is_file():
            raise ValueError(f"records: must be files that end with {' or '.join(READERS)}, is {path}")
    return pl.concat([READERS[path.suffix](path) for path in paths], how="vertical_relaxed")


def write(maps: list[pl.DataFrame], path: Path) -> None:
    """Write the records of all tasks to a file whose name ends with one of `WRITERS`."""
    WRITERS[path.suffix](pl.concat(maps), path)
