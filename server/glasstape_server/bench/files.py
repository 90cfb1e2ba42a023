"""`glasstape bench files`: speed of reading files of bars, relative to what polars needs to parse the same file.

CPU time of all threads, so that a speed is that of one core.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from glasstape.barfile.options import BarFileOptions

from glasstape_server.bench.report import BenchmarkReport, Measurement
from glasstape_server.domain.times import INTERVALS
from glasstape_server.market.files import BarFiles

SYMBOLS = 50
START = 1_577_836_800_000_000
"""2020-01-01."""
OPTIONS = BarFileOptions(time_zone="UTC", stamp="close")
REFERENCE = "polars alone"


def run(rows: int, rounds: int) -> BenchmarkReport:
    """Measure reading minute bars from CSV and Parquet.

    Args:
        rows: of the files.
        rounds: of each measurement.
    """
    with tempfile.TemporaryDirectory() as folder:
        csv, parquet = Path(folder) / "bars.csv", Path(folder) / "bars.parquet"
        frame = _bars(rows)
        frame.write_csv(csv)
        frame.write_parquet(parquet)
        measurements = [
            _measured("CSV", csv, len(frame), rounds, lambda: pl.read_csv(csv, try_parse_dates=True)),
            _measured("Parquet", parquet, len(frame), rounds, lambda: pl.read_parquet(parquet)),
        ]
        sizes = ", ".join(f"{path.suffix} {path.stat().st_size / 1e6:.0f} MB" for path in (csv, parquet))
    setup = (
        f"{rows:,} minute bars of {SYMBOLS} symbols ({sizes}), from the file to checked bars with closes in UTC, "
        "per second of CPU time."
    )
    return BenchmarkReport("Reading files of bars", setup, measurements)


def _measured(label: str, path: Path, rows: int, rounds: int, reference: Callable[[], object]) -> Measurement:
    # Alternating, so that noise affects both.
    pairs = [(_seconds(lambda: BarFiles([path], "1m", OPTIONS)), _seconds(reference)) for _ in range(rounds)]
    speeds = [rows / ours / 1e6 for ours, _ in pairs]
    return Measurement(label, "M rows/s", speeds, {REFERENCE: [theirs / ours for ours, theirs in pairs]})


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _bars(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    count = max(1, rows // SYMBOLS)
    close = 100 * np.exp(random.normal(0, 0.001, (SYMBOLS, count)).cumsum(axis=1))
    opened = close * np.exp(random.normal(0, 0.0005, close.shape))
    times = pl.Series(START + INTERVALS["1m"] * np.arange(1, count + 1)).cast(pl.Datetime("us"))
    return pl.DataFrame(
        {
            "symbol": np.repeat([f"S{number:03d}" for number in range(SYMBOLS)], count),
            "datetime": pl.concat([times] * SYMBOLS),
            "open": opened.ravel().round(2),
            "high": (np.maximum(opened, close) * 1.001).ravel().round(2),
            "low": (np.minimum(opened, close) * 0.999).ravel().round(2),
            "close": close.ravel().round(2),
            "volume": random.integers(1, 100_000, close.size),
        }
    )
