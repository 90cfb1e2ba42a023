"""Raw bars of a request, of which the server makes windows."""

from collections.abc import Mapping, Sequence

import numpy as np

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument, NotFound
from glasstape_server.domain.limits import MAX_CALL_BARS, MAX_SERIES_BARS
from glasstape_server.features.series import from_columns, sessions
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.rules import check_bar
from glasstape_server.models.model import Model
from glasstape_server.serving.items import Bars, Item, check_count, set_previous, set_window, too_few_bars
from glasstape_server.serving.requests import BarSeries


def check_series_framing(source: BarSeries, model: Model) -> None:
    """Check the number of series and of their bars, and that the model can make windows of them.

    Raises:
        InvalidArgument: no series, too many, or too many bars; or the model ranks the symbols of each close.
    """
    if ranked := model.spec.ranked_names:
        rule = (
            f"must be symbols, signals or windows with model {model.ref.name}@{model.ref.version}: its "
            f"{', '.join(ranked)} rank all symbols of each close, which the server knows of its own bars alone"
        )
        raise InvalidArgument.field("input.bars", rule)
    check_count("input.bars.series", len(source.series))
    total = sum(map(len, source.series))
    if total > MAX_CALL_BARS:
        raise InvalidArgument.field("input.bars.series", f"at most {MAX_CALL_BARS} bars in all, has {total}")
    for position, bars in enumerate(source.series):
        if len(bars) > MAX_SERIES_BARS:
            raise InvalidArgument.field(
                f"input.bars.series[{position}].bars", f"at most {MAX_SERIES_BARS}, has {len(bars)}"
            )


def needs_time_zones(model: Model) -> bool:
    """Return whether windows of bars depend on the time zones of their symbols."""
    return model.spec.session_gap == "split" or bool(model.spec.local_time_names)


def series_items(
    source: BarSeries, model: Model, time_zones: Mapping[str, str], with_previous: bool
) -> list[Item]:
    """Return an item for each series; features are computed as for the server's own signals.

    Runs on a worker thread: the time grows with the bars.

    Args:
        source: the bars.
        model: whose windows are made.
        time_zones: of symbols that the server knows; trading days of others are days of UTC.
        with_previous: also find the window before each.
    """
    items = []
    for position, bars in enumerate(source.series):
        item = Item(model=model)
        try:
            _resolve(item, bars, f"input.bars.series[{position}].bars", model, time_zones, with_previous)
        except GlasstapeError as error:
            item.error = error
        items.append(item)
    return items


def _resolve(
    item: Item,
    bars: Sequence[Bar],
    path: str,
    model: Model,
    time_zones: Mapping[str, str],
    with_previous: bool,
) -> None:
    _check_bars(bars, path)
    traded = [bar for bar in bars if bar.usable]
    if len(traded) < model.spec.min_bars:
        raise too_few_bars(traded[0].symbol if traded else "", len(traded), model.spec.min_bars)
    item.symbol, item.bar_close_time = traded[-1].symbol, traded[-1].close_time
    if model.spec.local_time_names and item.symbol not in time_zones:
        raise NotFound(
            "SYMBOL_NOT_FOUND",
            f"{path}: {', '.join(model.spec.local_time_names)} need the time zone of {item.symbol!r}, which has no "
            "instrument; publish one first",
            metadata={"symbol": item.symbol},
        )
    _set_series(item, traded, model, time_zones.get(item.symbol, "UTC"), with_previous)


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


def _set_series(item: Item, bars: Sequence[Bar], model: Model, time_zone: str, with_previous: bool) -> None:
    required = model.spec.min_bars
    columns = np.array([bar.values for bar in bars]).T[:, None, :]
    times = np.array([[bar.close_time for bar in bars]], dtype=np.int64)
    series = from_columns(times, columns, sessions(times, bars[0].interval, time_zone), time_zone)
    windows, usable = latest_windows(model.spec, series)
    set_window(item, windows[0], bool(usable[0]))
    columns_of_item = np.concatenate([times, columns[:, 0]])[:, -required:]
    item.bars = Bars(columns_of_item, series.session[0, -required:], time_zone=time_zone)
    if with_previous:
        previous = None
        if len(bars) > required:
            before = from_columns(times[:, :-1], columns[..., :-1], series.session[:, :-1], time_zone)
            windows, usable = latest_windows(model.spec, before)
            previous = windows[0] if usable[0] else None
        set_previous(item, previous)
