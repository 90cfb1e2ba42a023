"""Local registry of runs: a folder with one JSON file per run, which any number of commands may add to at once."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from glasstape_server.storage import files
from glasstape_server.training.run_record import RunRecord

ENDING = ".json"
LATEST = "latest"
"""Name of the newest run."""


class RunNotFoundError(ValueError):
    """There is no such run or folder of runs, or several runs have a name."""


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs of one or more folders."""

    records: tuple[RunRecord, ...]
    """Oldest first."""
    problems: tuple[str, ...] = ()
    """One sentence about each file that holds no run and was skipped."""

    def find(self, name: str) -> RunRecord:
        """Return a run by its id, the beginning of its id, or the path of its file; or the newest.

        Raises:
            RunNotFoundError: there is no such run, or there are several.
        """
        if Path(name).is_file():
            return _read(Path(name))
        if name == LATEST and self.records:
            return self.records[-1]
        found = {record.id: record for record in self.records if record.id.startswith(name)}
        if len(found) == 1:
            return next(iter(found.values()))
        several = f"{len(found)} runs begin with it ({', '.join(list(found)[:3])} …)"
        raise RunNotFoundError(f"run {name!r}: {several if found else 'there is none of this id'}")


def new_id(started: datetime) -> str:
    """Return an id of a run: ids of later runs are later in order, and those of concurrent ones differ."""
    return f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def add(folder: Path, record: RunRecord) -> Path:
    """Write a run, whole or not at all; return its file.

    Raises:
        OSError: it cannot be written.
    """
    files.make_folder(folder)
    path = folder / f"{record.id}{ENDING}"
    files.write(path, record.model_dump_json(indent=1) + "\n")
    return path


def read_runs(folders: Sequence[Path]) -> RunList:
    """Return the runs of folders, each once. What is no run is skipped and reported.

    Raises:
        RunNotFoundError: a folder does not exist.
        OSError: a folder cannot be read.
    """
    records: dict[str, RunRecord] = {}
    problems = []
    for folder in folders:
        if not folder.is_dir():
            reason = "is a file" if folder.exists() else "does not exist"
            raise RunNotFoundError(f"{folder}: must be a folder of runs, {reason}")
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.suffix != ENDING:
                continue
            try:
                record = _read(path)
            except RunNotFoundError as error:
                problems.append(str(error))
                continue
            records[record.id] = record
    ordered = sorted(records.values(), key=lambda record: (record.started, record.id))
    return RunList(tuple(ordered), tuple(problems))


def _read(path: Path) -> RunRecord:
    """Return the run of a file.

    Raises:
        RunNotFoundError: it holds none, or it cannot be read.
    """
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunNotFoundError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise RunNotFoundError(
            f"{path}: holds no run: {f'{where}: ' if where else ''}{first['msg'].lower()}"
        ) from None
