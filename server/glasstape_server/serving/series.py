"""Raw bars of a request, of which the server makes windows."""

from collections.abc import Sequence

import numpy as np

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument
from glasstape_server.domain.limits import MAX_CALL_BARS, MAX_SERIES_BARS
from glasstape_server.features.series import from_columns, sessions
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.rules import check_bar
from glasstape_server.models.model import Model
from glasstape_server.serving.items import Bars, Item, check_count, set_previous, set_window, too_few_bars
from glasstape_server.serving.requests import BarSeries


def check_series_framing(source: BarSeries) -> None:
    """Check the number of series and of their bars.

    Raises:
        InvalidArgument: no series, too many, or too many bars.
    """
    check_count("input.bars.series", len(source.series))
    total = sum(map(len, source.series))
    if total > MAX_CALL_BARS:
        raise InvalidArgument.field("input.bars.series", f"at most {MAX_CALL_BARS} bars in all, has {total}")
    for position, bars in enumerate(source.series):
        if len(bars) > MAX_SERIES_BARS:
            raise InvalidArgument.field(
                f"input.bars.series[{position}].bars", f"at most {MAX_SERIES_BARS}, has {len(bars)}"
            )


def series_items(source: BarSeries, model: Model, with_previous: bool) -> list[Item]:
    """Return an item for each series; features are computed as for the server's own signals.

    Runs on a worker thread: the time grows with the bars.
    """
    items = []
    for position, bars in enumerate(source.series):
        item = Item(model=model)
        try:
            _resolve(item, bars, f"input.bars.series[{position}].bars", model, with_previous)
        except GlasstapeError as error:
            item.error = error
        items.append(item)
    return items


def _resolve(item: Item, bars: Sequence[Bar], path: str, model: Model, with_previous: bool) -> None:
    _check_bars(bars, path)
    traded = [bar for bar in bars if bar.usable]
    if len(traded) < model.spec.min_bars:
        raise too_few_bars(traded[0].symbol if traded else "", len(traded), model.spec.min_bars)
    item.symbol, item.bar_close_time = traded[-1].symbol, traded[-1].close_time
    _set_series(item, traded, model, with_previous)


def _check_bars(bars: Sequence[Bar], path: str) -> None:
    for index, bar in enumerate(bars):
        where = f"{path}[{index}]"
        try:
            check_bar(bar)
        except InvalidArgument as error:
            first = error.violations[0]
            raise InvalidArgument.field(f"{where}.{first.field}", first.rule, "BAR_INVALID") from None
        if bar.provisional:
            raise InvalidArgument.field(f"{where}.provisional", "must be false: windows end at a closed bar")
        if index and (bar.symbol, bar.interval) != (bars[0].symbol, bars[0].interval):
            raise InvalidArgument.field(f"{where}.symbol", "all bars of a series share symbol and interval")
        if index and bar.close_time <= bars[index - 1].close_time:
            raise InvalidArgument.field(f"{where}.close_time", "must be after the bar before it")


def _set_series(item: Item, bars: Sequence[Bar], model: Model, with_previous: bool) -> None:
    required = model.spec.min_bars
    columns = np.array([bar.values for bar in bars]).T[:, None, :]
    times = np.array([[bar.close_time for bar in bars]], dtype=np.int64)
    series = from_columns(times, columns, sessions(times, bars[0].interval, "UTC"))
    windows, usable = latest_windows(model.spec, series)
    set_window(item, windows[0], bool(usable[0]))
    item.bars = Bars(np.concatenate([times, columns[:, 0]])[:, -required:], series.session[0, -required:])
    if with_previous:
        previous = None
        if len(bars) > required:
            before = from_columns(times[:, :-1], columns[..., :-1], series.session[:, :-1])
            windows, usable = latest_windows(model.spec, before)
            previous = windows[0] if usable[0] else None
        set_previous(item, previous)
