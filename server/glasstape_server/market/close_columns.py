"""Closes of whole columns, by the rules of `glasstape.barfile.closes`."""

import polars as pl
from glasstape.barfile.closes import MONDAY_SHIFT, Closes, Moment
from glasstape.barfile.errors import RowProblem
from glasstape.barfile.local_time import HOUR
from glasstape.barfile.reading import Decisions
from glasstape.barfile.time_cells import DAY

from glasstape_server.market.time_parts import TimeParts


def settle(parts: TimeParts, decisions: Decisions) -> pl.DataFrame:
    """Return the moments of a column; a date has no clock.

    Returns:
        Columns `row`, `day` (since 1970; null in cells that are no time), `clock` (microseconds after midnight; null in
        dates), `offset` (from UTC in microseconds, or null).
    """
    frame = _with_days(parts, decisions)
    midnights = decisions.closes.rule.midnights
    if not midnights:
        return frame
    kind_is_date = (
        pl.when(pl.col("offset").is_null()).then("naive" in midnights).otherwise("offset" in midnights)
    )
    frame = frame.with_columns(
        pl.when((pl.col("clock") == 0) & kind_is_date).then(None).otherwise(pl.col("clock")).alias("clock")
    )
    return _with_local_midnights(frame, decisions) if "offset" in midnights else frame


def _with_days(parts: TimeParts, decisions: Decisions) -> pl.DataFrame:
    closes = decisions.closes
    days: dict[str, int] = {}
    for text, date in parts.dates.items():
        try:
            days[text] = closes.day(date)
        except ValueError:
            continue
    epochs: list[tuple[str, int, int]] = []
    for number in parts.frame["epoch"].drop_nulls().unique():
        try:
            epochs.append((number, *closes.epoch(number)))
        except ValueError:
            continue
    frame = parts.frame
    if days:
        table = pl.DataFrame({"date": list(days), "of_date": pl.Series(list(days.values()), dtype=pl.Int64)})
        frame = frame.join(table, on="date", how="left", maintain_order="left")
        frame = frame.with_columns(pl.coalesce("day", "of_date").alias("day"))
    if epochs:
        schema = {"epoch": pl.String, "of_epoch": pl.Int64, "epoch_clock": pl.Int64}
        table = pl.DataFrame(epochs, schema=schema, orient="row")
        frame = frame.join(table, on="epoch", how="left", maintain_order="left")
        frame = frame.with_columns(
            pl.coalesce("day", "of_epoch").alias("day"),
            pl.coalesce("clock", "epoch_clock").alias("clock"),
            pl.when(pl.col("of_epoch").is_not_null()).then(0).otherwise(pl.col("offset")).alias("offset"),
        )
    return frame.select("row", "day", "clock", "offset")


def _with_local_midnights(frame: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """Return moments in which instants at midnight of the file's zone are dates of that zone."""
    zone = decisions.closes.zone
    if zone is None:
        return frame
    utc = pl.col("day") * DAY + pl.col("clock") - pl.col("offset")
    ended = pl.col("clock") == DAY  # the end of a day is no date
    instants = frame.select(pl.when(~ended).then(utc).alias("utc"))["utc"]
    local = {each: zone.local(each) for each in instants.drop_nulls().unique()}
    dates = {utc: time // DAY for utc, time in local.items() if time % DAY == 0}
    if not dates:
        return frame
    date = instants.replace_strict(list(dates), list(dates.values()), default=None, return_dtype=pl.Int64)
    return frame.with_columns(
        pl.coalesce(date, pl.col("day")).alias("day"),
        pl.when(date.is_not_null()).then(None).otherwise(pl.col("clock")).alias("clock"),
        pl.when(date.is_not_null()).then(None).otherwise(pl.col("offset")).alias("offset"),
    )


def resolve(
    moments: pl.DataFrame, symbols: pl.Series, parts: TimeParts, at: pl.Series, decisions: Decisions
) -> tuple[pl.Series, list[tuple[int, RowProblem]]]:
    """Return the closes of moments that are all times.

    Args:
        moments: as `settle` returns them, without nulls in `day`.
        symbols: of the rows.
        parts: that the moments were made of, for messages.
        at: index of each moment in `parts`.
        decisions: how the file is read.

    Returns:
        Closes in microseconds UTC, null where there is none, and the index and problem of each such row.

    Raises:
        BarFileError: dates have no closing time.
    """
    closes = decisions.closes
    dated = moments["clock"].is_null()
    if closes.rule.close is None and dated.any():
        first = int(dated.arg_max() or 0)
        decisions.check_close(Moment(0, None, None), moments["row"][first], parts.text(at[first]))
    local = moments["day"] * DAY + moments["clock"]
    if closes.rule.night_start is not None:
        local = local - _night_shifts(moments, closes) * DAY
    local = local.fill_null(
        (moments["day"] + _week_shifts(moments["day"], closes)) * DAY + (closes.rule.close or 0)
    )
    offset = moments["offset"]
    if closes.zone is not None:
        days = (local // DAY).alias("local_day")
        known = {day: closes.zone.day_offset(day) for day in days.unique()}
        of_zone = days.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Int64)
        offset = pl.select(pl.when(dated).then(of_zone).otherwise(pl.coalesce(offset, of_zone)))[:, 0]
    shift = (~dated).cast(pl.Int64) * (closes.length if closes.rule.stamp == "open" else 0)
    utc = local - offset + shift
    problems: list[tuple[int, RowProblem]] = []
    if utc.null_count():
        patched = utc.to_list()
        for index in utc.is_null().arg_true():
            _, day, clock, own = moments.row(index)
            close = closes.close(Moment(day, clock, own), symbols[index], parts.text(at[index]))
            if isinstance(close, RowProblem):
                problems.append((index, close))
            else:
                patched[index] = close
        utc = pl.Series(patched, dtype=pl.Int64)
    _note(moments, symbols, dated, decisions)
    return utc, problems


def _week_shifts(days: pl.Series, closes: Closes) -> pl.Series:
    if not closes.opens_week:
        return days * 0
    shifts = {day: closes.week_shift(day) for day in days.unique()}
    return days.replace_strict(list(shifts), list(shifts.values()), return_dtype=pl.Int64) if shifts else days


def _night_shifts(moments: pl.DataFrame, closes: Closes) -> pl.Series:
    keys = moments.select("day", "clock").unique().drop_nulls()
    shifts = [closes.night_shift(day, clock) for day, clock in keys.iter_rows()]
    table = keys.with_columns(pl.Series("shift", shifts, dtype=pl.Int64))
    return moments.join(table, on=["day", "clock"], how="left", maintain_order="left")["shift"]


def _note(moments: pl.DataFrame, symbols: pl.Series, dated: pl.Series, decisions: Decisions) -> None:
    """Note what the times of all rows show together; see `Decisions.see_moment`."""
    rule = decisions.closes.rule
    decisions.dated = decisions.dated or bool(dated.any())
    if rule.stamp:
        return
    local = _shown(moments, decisions.closes)
    if rule.interval == "1w":
        weekdays = ((local // DAY + MONDAY_SHIFT) % 7).value_counts()
        decisions.weekdays.update(dict(weekdays.iter_rows()))
    times = pl.DataFrame({"symbol": symbols, "day": local // DAY, "clock": local % DAY}).filter(~dated)
    by_day = times.group_by("symbol", "day", maintain_order=True).agg(
        pl.col("clock").min().alias("first"), pl.col("clock").max().alias("last")
    )
    for symbol, day, first, last in by_day.iter_rows():
        decisions.stamps.see_day(symbol, day, first, last)


def _shown(moments: pl.DataFrame, closes: Closes) -> pl.Series:
    """Return times in the file's zone, or as written where there is none; see `Closes.shown`."""
    local = moments["day"] * DAY + moments["clock"].fill_null(0)
    stated = moments["offset"].is_not_null() & moments["clock"].is_not_null()
    if closes.zone is None or not stated.any():
        return local
    utc = local - moments["offset"]
    offsets = {hour: closes.zone.offset_at(hour) for hour in (utc // HOUR).drop_nulls().unique()}
    in_zone = utc + (utc // HOUR).replace_strict(
        list(offsets), list(offsets.values()), default=None, return_dtype=pl.Int64
    )
    return pl.select(pl.when(stated).then(in_zone).otherwise(local))[:, 0]
