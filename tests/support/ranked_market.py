"""A store of five symbols, and its closes ranked with feature set 2."""

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.times import DAY
from glasstape_server.features.sets import SETS
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.cross_sections import CrossSections
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore
from made_up import columns

SPEC = FeatureSpec(names=SETS["set2"])
FIRST = 18_000 * DAY
BARS = 100
SYMBOLS = ("A", "B", "C", "D", "E")
NOON = DAY // 2
RANKED = list(SPEC.ranked_columns)


def at(number):
    return FIRST + number * DAY


def bar(symbol, number, shift=0):
    values = columns(BARS + 10, sum(map(ord, symbol)))[:, number].tolist()
    return Bar(symbol, "1d", at(number) + shift, *values)


class Market:
    """A store whose symbols have 100 bars, and its cross-sections."""

    def __init__(self, path):
        self.path = path
        self.open()
        self.publish([bar(symbol, n) for symbol in SYMBOLS for n in range(BARS)], BatchMode.BACKFILL)

    def open(self):
        self.store = BarStore(self.path)
        self.sections = CrossSections(self.store, MarketCalendars(self.store))

    def publish(self, bars, mode=BatchMode.FINAL):
        (report,) = self.store.publish([Batch(bars, mode=mode)])
        assert not report.rejections
        self.sections.forget(corrected=mode is not BatchMode.FINAL)

    def stacked(self, symbols, number=None):
        keys = [(symbol, "1d") for symbol in symbols]
        until = [self.store.last_close(key) if number is None else at(number) for key in keys]
        bars = [self.store.until(key, close, SPEC.min_bars) for key, close in zip(keys, until, strict=True)]
        return keys, self.store.stack(keys, bars)

    def windows(self, symbols, number=None):
        return self.sections.windows(SPEC, *self.stacked(symbols, number))[0]

    def missing(self, symbols, number=None):
        return self.sections.windows(SPEC, *self.stacked(symbols, number))[2].tolist()

    def seal(self, symbols, number=None):
        self.sections.seal(SPEC, "1d", self.stacked(symbols, number)[1])
