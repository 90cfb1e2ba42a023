"""The data arguments that training, evaluation and benchmarks share."""

import argparse
import sys
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glasstape_server.features.labels import LabelRule
    from glasstape_server.features.spec import FeatureSpec
    from glasstape_server.market.files import FileFormat

SAMPLE = "sample"
CHUNK = 2_000_000
"""Bars that are in memory at once."""


def add_data(parser: argparse.ArgumentParser) -> None:
    """Which bars, and what their files do not say themselves."""
    parser.add_argument(
        "--data",
        nargs="+",
        default=[SAMPLE],
        metavar="PATH",
        help="CSV or Parquet files, or 'sample' (default: the bundled sample)",
    )
    parser.add_argument("--interval", default="1d", help="length of the bars (default: %(default)s)")
    parser.add_argument(
        "--time-zone",
        default="America/New_York",
        help="zone of dates in the files, and of trading days (default: %(default)s)",
    )
    parser.add_argument(
        "--close", default="16:00", help="closing time of daily bars, HH:MM (default: %(default)s)"
    )
    parser.add_argument(
        "--accept",
        default="",
        metavar="KIND,…",
        help="go on although the data report refuses these kinds of findings",
    )


def add_labels(parser: argparse.ArgumentParser) -> None:
    """What is predicted."""
    parser.add_argument(
        "--labels",
        choices=("horizon", "triple_barrier"),
        default="horizon",
        help="what decides the class: the return at the horizon's end, or the first close beyond a barrier",
    )
    parser.add_argument("--horizon", type=int, default=1, help="bars to look ahead (default: %(default)s)")
    parser.add_argument(
        "--session-gap", choices=("span", "split"), default="span", help="may windows span a night?"
    )


def label_rule(options: argparse.Namespace) -> "LabelRule":
    """The rule that was asked for; k is fitted later."""
    from glasstape_server.features.labels import LabelRule

    if options.horizon < 1:
        raise ValueError(f"--horizon: must be 1 or more, is {options.horizon}")
    return LabelRule(kind=options.labels, horizon_bars=options.horizon)


def feature_spec(options: argparse.Namespace) -> "FeatureSpec":
    """The features that were asked for."""
    from glasstape_server.features.spec import FeatureSpec

    return FeatureSpec(session_gap=options.session_gap)


class Source:
    """The bars that were asked for, some symbols at a time."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Look at the files' columns, and say how they were understood.

        Raises:
            ValueError: an argument or a file is wrong.
        """
        from glasstape_server.market import sample
        from glasstape_server.market.files import BarFiles
        from glasstape_server.training.data_report import KINDS, Inspection

        self.accepted = frozenset(name for name in options.accept.split(",") if name)
        if unknown := self.accepted - set(KINDS):
            raise ValueError(f"--accept: must be of {', '.join(KINDS)}, has {', '.join(sorted(unknown))}")
        self.is_sample = options.data == [SAMPLE]
        paths, form = [Path(path) for path in options.data], _form(options)
        if self.is_sample:
            if options.interval != sample.INTERVAL:
                raise ValueError(f"--interval: the sample has bars of 1d, asked for {options.interval!r}")
            paths, form = [sample.PATH], sample.FORMAT
        self.files = BarFiles(paths, options.interval, form)
        if not self.is_sample:
            print("\n".join(self.files.guesses), file=sys.stderr)
        least = feature_spec(options).min_bars + label_rule(options).bars_ahead
        self._inspection = Inspection(options.interval, least)

    @property
    def name(self) -> str:
        """Of the first file."""
        return SAMPLE if self.is_sample else self.files.paths[0].name.split(".")[0]

    def inspect(self) -> bool:
        """Pass all bars once, print the data report; whether nothing stands in the way of learning."""
        for frame in self.files.chunks(CHUNK):
            self._inspection.look(frame)
        report = self._inspection.report()
        print(report.to_text(), file=sys.stderr)
        refused = report.refused(self.accepted)
        if refused:
            kinds = ",".join(found.kind for found in refused)
            print(f"the data would teach what is not there; mend it, or --accept {kinds}", file=sys.stderr)
        return not refused


def _form(options: argparse.Namespace) -> "FileFormat":
    from glasstape_server.market.files import FileFormat

    try:
        close = time.fromisoformat(options.close)
    except ValueError:
        raise ValueError(f"--close: must be HH:MM, is {options.close!r}") from None
    return FileFormat(options.time_zone, close)
