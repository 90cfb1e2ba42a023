"""Parquet files for `glasstape publish`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from glasstape import Bar
from glasstape.barfile import BarFile, BarFileOptions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_parquet(path: Path, interval: str, options: BarFileOptions) -> BarFile:
    """Return the bars of a Parquet file, ordered by their closes.

    Raises:
        BarFileError: it cannot be read.
    """
    from glasstape_server.market.files import BarFiles

    files = BarFiles([path], interval, options)
    bars, rows = [], []
    for symbol, close, *prices, _, row in files.read().iter_rows():
        values = dict(zip(("open", "high", "low", "close", "volume"), prices, strict=True))
        close_time = _EPOCH + timedelta(microseconds=close)
        bars.append(Bar(symbol=symbol, interval=interval, close_time=close_time, **values))
        rows.append(row)
    return BarFile(bars, rows, files.notes)
