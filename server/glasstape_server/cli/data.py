"""Arguments for data and labels, shared by training and evaluation."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from glasstape.barfile.arguments import add_bar_file_arguments, options_from
from glasstape.barfile.errors import KINDS as ROW_KINDS
from glasstape.barfile.options import check_accepted
from glasstape.barfile.paths import bar_file_paths

from glasstape_server.cli.arguments import duration
from glasstape_server.cli.progress import read_files
from glasstape_server.domain.times import SECOND
from glasstape_server.training.data_report import KINDS

if TYPE_CHECKING:
    from glasstape_server.features.labels import LabelRule
    from glasstape_server.features.spec import FeatureSpec
    from glasstape_server.training.run_record import RunData
    from glasstape_server.training.usable_bars import UsableBars

SAMPLE = "sample"
CHUNK = 2_000_000
"""Bars in memory at once."""


def add_data(parser: argparse.ArgumentParser, *, interval: bool = True) -> None:
    """Add the arguments that select and describe the bars; the interval may be known otherwise."""
    parser.add_argument(
        "--data",
        nargs="+",
        default=[SAMPLE],
        metavar="PATH",
        help="CSV or Parquet files, folders or patterns of them, or 'sample' (default: sample)",
    )
    _add_description(parser, interval=interval)


def add_bars(parser: argparse.ArgumentParser) -> None:
    """Add the bars as positional arguments, and those that describe them."""
    parser.add_argument(
        "data", nargs="*", metavar="BARS", help="CSV or Parquet files, or 'sample'; with --journal none"
    )
    _add_description(parser)


def _add_description(parser: argparse.ArgumentParser, *, interval: bool = True) -> None:
    if interval:
        parser.add_argument("--interval", default="1d", help="interval of the bars (default: %(default)s)")
    add_bar_file_arguments(parser, kinds=(*ROW_KINDS, *KINDS))


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that define labels and windows."""
    parser.add_argument(
        "--labels",
        choices=("horizon", "triple_barrier"),
        default="horizon",
        help="label rule: return at the end of the horizon, or first close beyond a barrier (default: %(default)s)",
    )
    parser.add_argument("--horizon", type=int, default=1, help="horizon in bars (default: %(default)s)")
    parser.add_argument(
        "--session-gap",
        choices=("span", "split"),
        help="whether windows span or split at session gaps (default: span, or as the file of --features states)",
    )
    parser.add_argument(
        "--features",
        default="set1",
        metavar="SET|FILE",
        help="features of a window: set1, set2, or a JSON or TOML file that names them (default: %(default)s)",
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="bars in a window, 6-64 (default: 6, or as the file of --features states)",
    )


def add_rolling(parser: argparse.ArgumentParser) -> None:
    """Add the argument that limits training windows to the latest ones."""
    parser.add_argument(
        "--rolling",
        type=duration,
        default=0,
        metavar="TIME",
        help="train on the windows of this last time, such as 104w (default: all earlier windows, expanding)",
    )


def label_rule(options: argparse.Namespace) -> "LabelRule":
    """Return the label rule of the options; its k is fitted later.

    Raises:
        ValueError: the horizon is not positive.
    """
    from glasstape_server.features.labels import LabelRule

    if options.horizon < 1:
        raise ValueError(f"--horizon: must be 1 or more, is {options.horizon}")
    return LabelRule(kind=options.labels, horizon_bars=options.horizon)


def feature_spec(options: argparse.Namespace) -> "FeatureSpec":
    """Return the feature spec of the options.

    Raises:
        ValueError: see `feature_file.read_spec`.
    """
    from glasstape_server.cli.feature_file import read_spec

    return read_spec(options.features, options.window, options.session_gap)


class DataSource:
    """Bars of the options, read in chunks of whole symbols."""

    def __init__(self, options: argparse.Namespace, min_bars: int | None = None) -> None:
        """Open the files and print how their columns were interpreted.

        Args:
            options: of the command.
            min_bars: bars that a symbol needs; None: those of one labeled window of the options.

        Raises:
            ValueError: an argument or a file is invalid.
        """
        from glasstape_server.market import sample
        from glasstape_server.training.data_inspection import DataInspection

        if min_bars is None:
            min_bars = feature_spec(options).min_bars + label_rule(options).bars_ahead
        self.is_sample = options.data == [SAMPLE]
        if self.is_sample and options.interval != sample.INTERVAL:
            raise ValueError(f"--interval: must be 1d for the sample, is {options.interval!r}")
        accepted = frozenset(name for name in options.accept.split(",") if name)
        self.accepted = check_accepted(accepted, (*ROW_KINDS, *KINDS))
        bar_file_options = sample.OPTIONS if self.is_sample else options_from(options)
        paths = [sample.PATH] if self.is_sample else bar_file_paths(options.data)
        self.files = read_files(paths, options.interval, bar_file_options)
        self.time_zone = self.files.time_zone
        """IANA zone of trading days."""
        if not self.is_sample:
            print("\n".join(self.files.shown_notes(verbose=options.verbose)), file=sys.stderr)
        self._names = options.data
        self._interval = options.interval
        self._sha256 = ""
        self._inspection = DataInspection(options.interval, min_bars)

    @property
    def name(self) -> str:
        """Name of the folder that was given, or of the first file, without suffix."""
        if self.is_sample:
            return SAMPLE
        given = Path(self._names[0])
        return given.resolve().name if given.is_dir() else self.files.paths[0].name.split(".")[0]

    def inspect(self) -> bool:
        """Read all bars once and print the data report; return whether the data is acceptable.

        Raises:
            ValueError: there are no bars.
        """
        for frame in self.files.chunks(CHUNK):
            self._inspection.add(frame)
        from glasstape_server.training.data_report import LEFT_OUT

        report = self._inspection.report()
        print(report.to_text(), file=sys.stderr)
        rejected = report.rejected(self.accepted)
        if rejected:
            kinds = ",".join(finding.kind for finding in rejected)
            left_out = ", ".join(finding.kind for finding in rejected if finding.kind in LEFT_OUT)
            effect = f" (leaves out the bars of {left_out})" if left_out else ""
            print(f"the data is rejected: correct it, or pass --accept {kinds}{effect}", file=sys.stderr)
        return not rejected

    def chunks(self) -> "Iterator[UsableBars]":
        """Yield the bars to train on, in whole symbols: without those that a server leaves out or that are accepted."""
        from glasstape_server.market.clock import wall_time
        from glasstape_server.market.rules import CLOCK_TOLERANCE
        from glasstape_server.training.dataset import combined
        from glasstape_server.training.usable_bars import UsableBars

        latest = wall_time() + CLOCK_TOLERANCE
        digests: dict[str, str] = {}
        for frame in self.files.chunks(CHUNK):
            bars = UsableBars.of(frame, self.accepted, latest)
            if not self._sha256:
                digests |= bars.digests()
            yield bars
        self._sha256 = self._sha256 or combined(digests)

    def described(self) -> "RunData":
        """Return what the record of a run states about its bars; requires that they were read once."""
        from datetime import UTC, datetime

        from glasstape_server.training.run_record import RunData

        summary = self.files.summary
        first, last = (
            datetime.fromtimestamp(close // SECOND, UTC) for close in (summary.first, summary.last)
        )
        return RunData(
            sha256=self._sha256,
            names=tuple(os.fsencode(name).decode("utf-8", "replace") for name in self._names),
            files=summary.files,
            symbols=summary.symbols,
            bars=summary.bars,
            first_close=first,
            last_close=last,
            interval=self._interval,
            time_zone=self.time_zone,
        )
