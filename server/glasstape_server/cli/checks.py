"""What `glasstape doctor` checks with the server's code: models and bar files."""

import argparse
from collections.abc import Iterator
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the checks."""
    parser.add_argument("--check-model", type=Path, metavar="FOLDER", help="an artifact: NAME/VERSION")
    parser.add_argument("--check-bars", type=Path, metavar="FILE", help="bars in CSV or Parquet")
    parser.add_argument(
        "--journal", type=Path, metavar="FOLDER", help="the journal of a server's data folder"
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="with --journal: save what can be saved; no server may run on it",
    )
    parser.add_argument(
        "--audit", type=Path, metavar="FILE", help="an audit log, and its older files beside it"
    )
    parser.add_argument("--interval", default="1d", help="length of those bars (default: %(default)s)")


def check(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Check what was asked for."""
    if options.check_model is not None:
        yield from _model(options.check_model)
    if options.check_bars is not None:
        yield from _bars(options.check_bars, options.interval)
    if options.audit is not None:
        yield from _audit(options.audit)
    if options.journal is not None:
        yield from _journal(options.journal, repair=options.repair)
    elif options.repair:
        yield "problem", "--repair: says what to do with --journal FOLDER, which is not given"


def _model(folder: Path) -> Iterator[tuple[str, str]]:
    from glasstape_server.models.artifact import ArtifactError, load

    try:
        model = load(folder.resolve())
    except ArtifactError as error:
        yield "problem", f"{folder}: {error}"
        return
    yield "ok", f"{folder}: {model.ref.name}@{model.ref.version} is complete and undamaged"
    if not model.manifest.beats_base_rate:
        yield "warning", f"{folder}: its validation accuracy is not above the base rate"


def _audit(path: Path) -> Iterator[tuple[str, str]]:
    from glasstape_server.access.audit import audit_files, verify

    if not path.is_file():
        yield "problem", f"{path}: there is no such audit log"
        return
    wrong = list(verify(path))
    yield from (("problem", text) for text in wrong)
    if not wrong:
        yield "ok", f"{path}: {len(audit_files(path))} files hold what was written"


def _journal(folder: Path, *, repair: bool) -> Iterator[tuple[str, str]]:
    from glasstape_server.cli.data_folder import Held, held, journal_of
    from glasstape_server.domain.errors import DataLoss
    from glasstape_server.rpc.convert.signals import decode_event
    from glasstape_server.signals.journal.sqlite import maintenance as journal_care
    from glasstape_server.storage.sqlite import UNREADABLE

    path = journal_of(folder)
    findings = list(journal_care.examine(path))
    yield from findings
    if not repair:
        return
    if all(kind != "problem" for kind, _ in findings):
        yield "ok", f"{path}: nothing to repair"
        return
    if not path.is_file():
        return
    try:
        with held(folder):
            yield from journal_care.repair(path, lambda payload: decode_event(payload).bar_close_time)
    except (Held, OSError, *UNREADABLE, DataLoss) as error:
        yield "problem", f"--repair: {error}"
        return
    yield from journal_care.examine(path)


def _bars(path: Path, interval: str) -> Iterator[tuple[str, str]]:
    from glasstape_server.domain.errors import InvalidArgument
    from glasstape_server.market.files import FileError, FileFormat, read_bars, to_bars
    from glasstape_server.market.rules import check_bar

    try:
        frame = read_bars(path, interval, FileFormat())
    except (FileError, OSError) as error:
        yield "problem", str(error)
        return
    yield "ok", f"{path}: {len(frame)} bars of {frame['symbol'].n_unique()} symbols"
    doubled = len(frame) - frame.select("symbol", "close_time").n_unique()
    if doubled:
        yield "problem", f"{path}: {doubled} bars share symbol and close time with another"
    broken = halted = 0
    first = ""
    for bar in to_bars(frame, interval):
        halted += bar.halted
        try:
            check_bar(bar)
        except InvalidArgument as error:
            broken += 1
            first = first or f"{bar.symbol}: {error}"
    if broken:
        yield "problem", f"{path}: {broken} bars would be rejected; the first: {first}"
    if halted:
        yield "ok", f"{path}: {halted} halted bars will not be fed"
