"""The bundled sample market: five US stocks, daily, 2000-03-01 to 2013-03-01.

See NOTICE.md for where it comes from. Prices are adjusted for splits and dividends when read.
"""

from pathlib import Path

import polars as pl
from glasstape.barfile.options import BarFileOptions, close_of

from glasstape_server.domain.bars import Instrument
from glasstape_server.market.files import read_bars

PATH = Path(__file__).parent / "stocks.csv.gz"
SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
INTERVAL = "1d"
OPTIONS = BarFileOptions(time_zone="America/New_York", close=close_of("16:00"))

INSTRUMENTS = tuple(
    Instrument(
        symbol,
        name,
        exchange=exchange,
        time_zone="America/New_York",
        currency="USD",
        price_decimals=2,
    )
    for symbol, name, exchange in (
        ("AAPL", "Apple", "XNAS"),
        ("FB", "Facebook", "XNAS"),
        ("GOOG", "Google", "XNAS"),
        ("IBM", "IBM", "XNYS"),
        ("MSFT", "Microsoft", "XNAS"),
    )
)


def read() -> pl.DataFrame:
    """Return the sample's bars, as `files.read_bars` does."""
    return read_bars(PATH, INTERVAL, OPTIONS)
