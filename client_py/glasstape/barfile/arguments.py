"""The group of command-line options for bar files, shared by all commands that read them."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from glasstape.barfile.errors import KINDS, BarFileError
from glasstape.barfile.options import BarFileOptions, check_accepted, clock_of, close_of, zone_of

FIELDS = (
    "time_zone", "close", "stamp", "time_unit", "date_order", "decimal", "column", "ignore_column", "no_volume",
    "symbol", "rename", "night_start", "accept",
)  # fmt: skip
"""Names of the options; lists are `column`, `ignore_column` and `rename`."""
CHOICES = {
    "stamp": ("open", "close"),
    "time_unit": ("s", "ms", "us", "ns"),
    "date_order": ("ymd", "mdy", "dmy"),
    "decimal": (".", ","),
}
"""Allowed values of options, besides the empty one."""


def add_bar_file_arguments(parser: argparse.ArgumentParser, *, kinds: Iterable[str] = KINDS) -> None:
    """Add the group of options that answer what a file of bars leaves open.

    Args:
        parser: of a command.
        kinds: of problems that `--accept` takes.
    """
    group = parser.add_argument_group("bar files", "what the files do not state themselves")
    group.add_argument(
        "--time-zone", default="", metavar="ZONE", help="IANA zone of dates and of times without an offset"
    )
    group.add_argument(
        "--close",
        default="",
        metavar="HH:MM",
        help="local closing time of rows with a date only, up to 24:00",
    )
    group.add_argument(
        "--stamp",
        default="",
        choices=CHOICES["stamp"],
        help="whether times are those of a bar's open or close",
    )
    group.add_argument(
        "--time-unit",
        default="",
        choices=CHOICES["time_unit"],
        help="unit of times that are numbers since 1970",
    )
    group.add_argument(
        "--date-order",
        default="",
        choices=CHOICES["date_order"],
        help="order of year, month and day in dates",
    )
    group.add_argument("--decimal", default="", choices=CHOICES["decimal"], help="decimal sign of numbers")
    group.add_argument(
        "--column",
        default=[],
        nargs="+",
        action="extend",
        metavar="KEY=TITLE",
        help="title of a column, by key: symbol, time, date, clock, open, high, low, close, volume, adjusted",
    )
    group.add_argument(
        "--ignore-column", default=[], nargs="+", action="extend", metavar="TITLE", help="columns to ignore"
    )
    group.add_argument(
        "--no-volume", action="store_true", help="take 0 where a file has no volume: the market reports none"
    )
    group.add_argument(
        "--symbol", default="", help="symbol of files without such a column (default: the file's name)"
    )
    group.add_argument(
        "--rename",
        default=[],
        nargs="+",
        action="extend",
        metavar="FROM=TO",
        help="symbols to publish by other names",
    )
    group.add_argument(
        "--night-start",
        default="",
        metavar="HH:MM",
        help="local time from which on rows belong to the evening before their date",
    )
    group.add_argument(
        "--verbose", action="store_true", help="print how each of several files was read (default: one line)"
    )
    group.add_argument(
        "--accept",
        default="",
        metavar="KIND,…",
        help=f"leave out rows with problems of these kinds instead of refusing: {', '.join(kinds)}",
    )


def options_from(namespace: argparse.Namespace) -> BarFileOptions:
    """Return the options of a command line.

    Raises:
        BarFileError: a value breaks its rule; the text names option, rule and value.
    """
    return make_options({name: getattr(namespace, name) for name in FIELDS})


def make_options(values: Mapping[str, Any]) -> BarFileOptions:
    """Return options.

    Args:
        values: texts by name, lists of texts for `column`, `ignore_column` and `rename`, a flag for
            `no_volume`; absent and empty: not stated.
            Of `accept` only kinds of `KINDS` are used.

    Raises:
        BarFileError: a value breaks its rule; the text names option, rule and value.
    """

    def text(name: str) -> str:
        value = str(values.get(name) or "")
        if value and value not in CHOICES.get(name, (value,)):
            option = f"--{name.replace('_', '-')}"
            raise BarFileError(f"{option}: must be {' or '.join(CHOICES[name])}, is {value!r}")
        return value

    if text("time_zone"):
        zone_of(text("time_zone"))
    accepted = frozenset(kind for kind in text("accept").split(",") if kind)
    return BarFileOptions(
        time_zone=text("time_zone"),
        close=close_of(text("close")) if text("close") else None,
        stamp=cast(Literal["", "open", "close"], text("stamp")),
        time_unit=cast(Literal["", "s", "ms", "us", "ns"], text("time_unit")),
        date_order=cast(Literal["", "ymd", "mdy", "dmy"], text("date_order")),
        decimal=cast(Literal["", ".", ","], text("decimal")),
        columns=_pairs("--column", "KEY=TITLE", values.get("column") or ()),
        ignored=frozenset(values.get("ignore_column") or ()),
        no_volume=bool(values.get("no_volume")),
        symbol=text("symbol"),
        renames=_pairs("--rename", "FROM=TO", values.get("rename") or ()),
        night_start=clock_of(text("night_start"), "--night-start") if text("night_start") else None,
        accepted=check_accepted(accepted & frozenset(KINDS)),
    )


def _pairs(option: str, form: str, texts: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        # A title may hold "=", a role may not; of symbols such as EURUSD=X the last sign parts.
        key, sign, value = text.partition("=") if option == "--column" else text.rpartition("=")
        if not sign or not key or not value:
            raise BarFileError(f"{option}: must be {form}, is {text!r}")
        if key in pairs:
            raise BarFileError(f"{option}: {key} is named twice: {pairs[key]!r} and {value!r}")
        pairs[key] = value
    return pairs
