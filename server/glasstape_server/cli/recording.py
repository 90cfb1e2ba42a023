"""Recording of a command in the local registry of runs."""

import argparse
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from glasstape_server.cli.arguments import nonempty_path

if TYPE_CHECKING:
    from typing import Literal

    from glasstape_server.cli.data import DataSource
    from glasstape_server.training.run_record import RunModel, RunOutput

FOLDER = "runs"
"""Name of the folder of runs, beside the output folder of a command."""
PACKAGES = ("torch", "numpy", "polars", "lightgbm", "scikit-learn")
LEFT_OUT = ("data", "out", "runs", "report", "resume", "verbose", "save_predictions", "processes")
"""Options that do not say what is computed, or stand elsewhere in the record."""


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the option of the folder of runs."""
    parser.add_argument(
        "--runs",
        type=nonempty_path,
        metavar="FOLDER",
        help="folder of the records that `glasstape runs` compares (default: runs beside --out)",
    )


def add_save_predictions(parser: argparse.ArgumentParser) -> None:
    """Add the option of the file of predictions."""
    parser.add_argument(
        "--save-predictions",
        type=nonempty_path,
        metavar="FILE",
        help="also write every out-of-sample prediction to a Parquet file",
    )


class Recording:
    """Records the run in its block, once it began to fit: also if it fails or is interrupted then."""

    def __init__(
        self, kind: "Literal['train', 'evaluate']", options: argparse.Namespace, source: "DataSource"
    ) -> None:
        """Create the folder of runs.

        Raises:
            OSError: it cannot be written to.
        """
        from glasstape_server.storage import files

        self._kind, self._options, self._source = kind, options, source
        self._folder: Path = options.runs or options.out.parent / FOLDER
        files.make_folder(self._folder)
        files.check_writable(self._folder)
        self.began = False
        """Whether the first fit has begun."""
        self.models: list[RunModel] = []
        self.outputs: list[RunOutput] = []
        self._started, self._clock = datetime.now(UTC), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from glasstape_server import __version__
        from glasstape_server.cli.data import feature_spec
        from glasstape_server.training import run_registry
        from glasstape_server.training.run_record import RunRecord

        if error is not None and not self.began:
            return
        options = {name: _plain(value) for name, value in vars(self._options).items() if name not in LEFT_OUT}
        finished = error is None
        run_registry.add(
            self._folder,
            RunRecord(
                id=run_registry.new_id(self._started),
                kind=self._kind,
                status="finished"
                if finished
                else "failed"
                if isinstance(error, Exception)
                else "interrupted",
                error=_text(str(error)) if isinstance(error, Exception) else "",
                started=self._started,
                duration_s=round(time.monotonic() - self._clock, 3),
                version=__version__,
                packages=_versions(),
                data=self._source.described(),
                options={**options, "feature_spec": feature_spec(self._options).hash},
                models=tuple(self.models),
                outputs=tuple(self.outputs),
            ),
        )


def output_of(path: Path) -> "RunOutput":
    """Return a file that a run wrote, with its digest."""
    import hashlib

    from glasstape_server.training.run_record import RunOutput

    with path.open("rb") as file:
        return RunOutput(path=_text(str(path)), sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an optional one
            continue
    return versions


def _plain(value: object) -> object:
    """Return an option for JSON."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else _text(str(value))


def _text(name: str) -> str:
    """Return text: with the locale C and without UTF-8 mode, names hold surrogates, which are none."""
    return os.fsencode(name).decode("utf-8", "replace")
