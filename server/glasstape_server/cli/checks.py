"""Checks of `glasstape doctor` for models, bar files, journals and audit logs."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from glasstape.barfile.arguments import add_bar_file_arguments, options_from
from glasstape.barfile.paths import bar_file_paths

from glasstape_server.cli.arguments import nonempty_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the checks."""
    parser.add_argument(
        "--check-model", type=nonempty_path, metavar="FOLDER", help="check an artifact, NAME/VERSION"
    )
    parser.add_argument(
        "--check-bars",
        nargs="+",
        default=[],
        metavar="FILE",
        help="check CSV or Parquet files of bars, folders or patterns of them",
    )
    parser.add_argument(
        "--journal", type=nonempty_path, metavar="FOLDER", help="check the journal of a data folder"
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="with --journal, keep the newest intact events of a damaged journal; stop the server first",
    )
    parser.add_argument(
        "--audit", type=nonempty_path, metavar="FILE", help="check an audit log and its rotated files"
    )
    parser.add_argument(
        "--interval", default="1d", help="interval of the bars of --check-bars (default: %(default)s)"
    )
    add_bar_file_arguments(parser)


def check(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield (ok, warning or problem, text) for each requested check."""
    if options.check_model is not None:
        yield from _model(options.check_model)
    if options.check_bars:
        yield from _bars(options.check_bars, options)
    if options.audit is not None:
        yield from _audit(options.audit)
    if options.journal is not None:
        yield from _journal(options.journal, repair=options.repair)
    elif options.repair:
        yield "problem", "--repair: requires --journal FOLDER"


def _model(folder: Path) -> Iterator[tuple[str, str]]:
    from glasstape_server.models.artifact import ArtifactError, load

    try:
        model = load(folder.resolve())
    except ArtifactError as error:
        yield "problem", f"{folder}: {error}"
        return
    yield "ok", f"{folder}: {model.ref.name}@{model.ref.version} is complete and intact"
    if not model.manifest.beats_base_rate:
        yield "warning", f"{folder}: the validation accuracy is not above the base rate"


def _audit(path: Path) -> Iterator[tuple[str, str]]:
    from glasstape_server.access.audit import audit_files, verify

    if not path.is_file():
        yield "problem", f"{path}: file does not exist"
        return
    errors = list(verify(path))
    yield from (("problem", text) for text in errors)
    if not errors:
        yield "ok", f"{path}: {len(audit_files(path))} files, the chain is intact"


def _journal(folder: Path, *, repair: bool) -> Iterator[tuple[str, str]]:
    from glasstape_server.cli.data_folder import FolderInUseError, journal_of, lock_folder
    from glasstape_server.domain.errors import DataLoss
    from glasstape_server.rpc.convert.signals import decode_event
    from glasstape_server.signals.journal.records import Record
    from glasstape_server.signals.journal.sqlite.examine import examine
    from glasstape_server.signals.journal.sqlite.repair import repair as repair_journal
    from glasstape_server.storage.sqlite import UNREADABLE

    def close_time_of(record: Record) -> int:
        return decode_event(record.payload, record.model).bar_close_time

    path = journal_of(folder)
    findings = list(examine(path))
    yield from findings
    if not repair:
        return
    if all(kind != "problem" for kind, _ in findings):
        yield "ok", f"{path}: nothing to repair"
        return
    if not path.is_file():
        return
    try:
        with lock_folder(folder):
            yield from repair_journal(path, close_time_of)
    except (FolderInUseError, OSError, *UNREADABLE, DataLoss) as error:
        yield "problem", f"--repair: {error}"
        return
    yield from examine(path)


def _bars(names: Sequence[str], options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    from glasstape_server.cli.data import CHUNK
    from glasstape_server.cli.progress import read_files
    from glasstape_server.market.verdict_kinds import KINDS
    from glasstape_server.training.data_inspection import DataInspection

    inspection = DataInspection(options.interval)
    try:
        files = read_files(bar_file_paths(names), options.interval, options_from(options))
        for frame in files.chunks(CHUNK):
            inspection.add(frame)
        report = inspection.report()
    except ValueError as error:
        yield "problem", str(error)
        return
    yield from (("ok", note) for note in files.shown_notes(verbose=options.verbose))
    path = files.paths[0] if len(files.paths) == 1 else f"{len(files.paths):,} files"
    yield "ok", f"{path}: {report.bars} bars of {report.symbols} symbols"
    expected = {kind.name for kind in KINDS if not kind.rejected}
    for finding in report.findings:
        level = "problem" if finding.rejects else "ok" if finding.kind in expected else "warning"
        yield level, f"{path}: {finding.count:,} {finding.text} (first: {'; '.join(finding.examples)})"
