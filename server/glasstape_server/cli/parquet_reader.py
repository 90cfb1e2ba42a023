"""Parquet files for `glasstape publish`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from glasstape import Bar, Instrument
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
    instruments = _instruments(path, options, bars, rows)
    return BarFile(bars, rows, files.notes, instruments, files.summary.left_out)


def _instruments(path: Path, options: BarFileOptions, bars: list[Bar], rows: list[int]) -> list[Instrument]:
    """Return what the file's columns state about instruments.

    Raises:
        BarFileError: a value breaks a rule.
    """
    import polars as pl
    from glasstape.barfile.instrument_columns import described, instrument_titles
    from glasstape.barfile.titles import columns_of

    scan = pl.scan_parquet(path, glob=False)
    titles = instrument_titles(columns_of(scan.collect_schema().names(), options, str(path)))
    if not titles:
        return []
    symbols = pl.DataFrame({"row": rows, "symbol of the row": [bar.symbol for bar in bars]})
    frame = (
        scan.select(pl.col(titles).cast(pl.String).fill_null("")).collect().with_row_index("row", offset=1)
    )
    frame = frame.with_columns(pl.col("row").cast(pl.Int64)).join(symbols, on="row", maintain_order="left")
    distinct = frame.unique(frame.columns[1:], keep="first", maintain_order=True)
    cells = (
        (row, symbol, dict(zip(titles, texts, strict=True))) for row, *texts, symbol in distinct.iter_rows()
    )
    return described(cells, path, "row")
