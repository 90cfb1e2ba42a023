"""Inputs that a request carries itself: ready windows, and bars of which the server makes windows."""

from collections.abc import Sequence

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from numpy.typing import NDArray

from glasstape_server.domain.errors import GlasstapeError, InvalidArgument
from glasstape_server.domain.limits import MAX_CALL_BARS, MAX_FEATURE, MAX_SERIES_BARS
from glasstape_server.domain.values import Bar, Float32s
from glasstape_server.features.series import from_columns, sessions
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.rules import check_bar
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.market import bar_from
from glasstape_server.serving.items import Bars, Item, check_count, put, put_previous, too_few


def windows_from(message: pb.Windows, model: Model) -> list[Item]:
    """Ready windows."""
    check_count("input.windows.count", message.count)
    windows = array_from(message, model, "input.windows")
    good = good_rows(windows)
    items = [Item(window=window) for window in windows]
    for row in np.flatnonzero(~good):
        items[row].error = bad_cell(int(row), windows[row], model)
    return items


def good_rows(windows: Float32s) -> NDArray[np.bool_]:
    """Which windows, (count, time, feature), have features in every cell, (count,)."""
    return np.asarray((np.abs(windows) <= MAX_FEATURE).all(axis=(1, 2)))  # NaN compares false


def check_framing(count: int, size: int, model: Model) -> None:
    """Check ready windows: how many, and in how many bytes.

    Raises:
        InvalidArgument: no window, or not as many bytes as these windows have.
        ResourceExhausted: too many windows.
    """
    check_count("input.windows.count", count)
    _check_size(count, size, model, "input.windows")


def array_from(message: pb.Windows, model: Model, path: str) -> Float32s:
    """Windows as (count, time, feature).

    Raises:
        InvalidArgument: not as many bytes as these windows have.
    """
    _check_size(message.count, len(message.data), model, path)
    return np.frombuffer(message.data, dtype="<f4").reshape(message.count, *model.window_shape)


def _check_size(count: int, size: int, model: Model, path: str) -> None:
    steps, width = model.window_shape
    expected = count * steps * width * 4
    if size != expected:
        raise InvalidArgument.field(
            f"{path}.data", f"{size} bytes, expected count x {steps} x {width} x 4 = {expected}"
        )


def reference_windows(message: pb.Windows, model: Model, path: str, most: int) -> Float32s:
    """Windows that others are compared with, (count, time, feature): all must be good.

    Raises:
        InvalidArgument: none or too many, wrong size, or a value that is no feature.
    """
    if not 1 <= message.count <= most:
        raise InvalidArgument.field(f"{path}.count", f"must be 1-{most}, is {message.count}")
    windows = array_from(message, model, path)
    bad = np.flatnonzero((~(np.abs(windows) <= MAX_FEATURE)).any(axis=(1, 2)))
    if len(bad):
        raise bad_cell(int(bad[0]), windows[bad[0]], model, path)
    return windows


def bad_cell(row: int, window: Float32s, model: Model, path: str = "input.windows") -> InvalidArgument:
    """What is wrong with a window."""
    time, feature = (int(i[0]) for i in (~(np.abs(window) <= MAX_FEATURE)).nonzero())
    name = model.spec.names[feature]
    return InvalidArgument.field(
        f"{path}.data",
        f"must be finite and within +-{MAX_FEATURE:g}, is {window[time, feature]} in window {row}, "
        f"time {time}, feature {name}",
        "WINDOW_INVALID",
    )


def series_from(message: pb.BarSeries, model: Model, with_previous: bool) -> list[Item]:
    """Raw bars; features are computed as for the server's own signals."""
    check_count("input.bars.series", len(message.series))
    total = sum(len(sequence.bars) for sequence in message.series)
    if total > MAX_CALL_BARS:
        raise InvalidArgument.field("input.bars.series", f"at most {MAX_CALL_BARS} bars in all, has {total}")
    items = []
    for position, sequence in enumerate(message.series):
        if len(sequence.bars) > MAX_SERIES_BARS:
            raise InvalidArgument.field(
                f"input.bars.series[{position}].bars",
                f"at most {MAX_SERIES_BARS}, has {len(sequence.bars)}",
            )
        item = Item()
        try:
            bars = [bar_from(bar) for bar in sequence.bars]
            _check_series(bars, f"input.bars.series[{position}].bars")
            bars = [bar for bar in bars if not bar.halted]
            if len(bars) < model.spec.min_bars:
                raise too_few(bars[0].symbol if bars else "", len(bars), model.spec.min_bars)
            item.symbol, item.bar_close_time = bars[-1].symbol, bars[-1].close_time
            _put_series(item, bars, model, with_previous)
        except GlasstapeError as error:
            item.error = error
        items.append(item)
    return items


def _check_series(bars: Sequence[Bar], path: str) -> None:
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


def _put_series(item: Item, bars: Sequence[Bar], model: Model, with_previous: bool) -> None:
    need = model.spec.min_bars
    columns = np.array([bar.values for bar in bars]).T[:, None, :]
    times = np.array([[bar.close_time for bar in bars]], dtype=np.int64)
    series = from_columns(times, columns, sessions(times, bars[0].interval, "UTC"))
    windows, usable = latest_windows(model.spec, series)
    put(item, windows[0], bool(usable[0]))
    item.bars = Bars(np.concatenate([times, columns[:, 0]])[:, -need:], series.session[0, -need:])
    if with_previous:
        earlier = None
        if len(bars) > need:
            before = from_columns(times[:, :-1], columns[..., :-1], series.session[:, :-1])
            windows, usable = latest_windows(model.spec, before)
            earlier = windows[0] if usable[0] else None
        put_previous(item, earlier)
