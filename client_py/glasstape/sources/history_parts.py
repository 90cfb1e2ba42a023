"""Partial results of `glasstape fetch`: one CSV per symbol in a folder, until the file is finished."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from glasstape.replacing import replaceable, replacing
from glasstape.sources.errors import SourceError
from glasstape.types.market import Bar, Instrument

TITLES = ("symbol", "close_time", "open", "high", "low", "close", "volume")
"""Columns of the finished file; times are UTC with their offset."""
_REQUEST = "request.json"
OnProgress = Callable[[str, int, datetime, datetime], None]
"""Called with symbol, number of new bars, their last close, and the end of the history."""


class HistoryParts:
    """The folder `NAME.parts` beside the file that is fetched.

    Args:
        out: the file.
        request: what is fetched; a folder of another request is refused.

    Raises:
        SourceError: the folder holds another request.
        OSError: it cannot be made, or the file cannot be replaced.
    """

    def __init__(self, out: Path, request: dict[str, str]) -> None:
        replaceable(out)
        self.folder = out.with_name(out.name + ".parts")
        note = self.folder / _REQUEST
        self.folder.mkdir(parents=True, exist_ok=True)
        if note.exists():
            found = json.loads(note.read_text(encoding="utf-8"))
            if found != request:
                raise SourceError(
                    f"--out: {self.folder} holds parts of another request ({_text(found)}); remove it, or choose "
                    "another file"
                )
        else:
            with replacing(note) as draft:
                draft.write_text(json.dumps(request), encoding="utf-8")

    def path(self, symbol: str) -> Path:
        """Return the part of a symbol."""
        return self.folder / f"{quote(symbol, safe='')}.csv"

    def last_close(self, symbol: str) -> datetime | None:
        """Return the close of the last complete row of a symbol; a row that was cut off is removed."""
        path = self.path(symbol)
        if not path.exists():
            return None
        with path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            first = max(0, size - 4096)
            file.seek(first)
            tail = file.read()
            complete = tail[: tail.rfind(b"\n") + 1]
            file.truncate(first + len(complete))
        lines = complete.decode().splitlines()
        return datetime.fromisoformat(next(csv.reader(lines[-1:]))[1]) if lines else None

    def append(self, symbol: str, bars: Sequence[Bar]) -> None:
        """Add bars of a symbol, in order."""
        with self.path(symbol).open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(_row(bar) for bar in bars)

    def write_csv(self, symbols: Iterable[str], out: Path) -> None:
        """Write the finished CSV."""
        with replacing(out) as draft, draft.open("wb") as target:
            target.write((",".join(TITLES) + "\n").encode())
            for path in self._existing(symbols):
                with path.open("rb") as part:
                    shutil.copyfileobj(part, target)

    def write_parquet(self, symbols: Iterable[str], out: Path) -> None:
        """Write the finished Parquet file; needs polars.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        import polars as pl

        numbers = dict.fromkeys(TITLES[2:], pl.Float64)
        schema = pl.Schema({"symbol": pl.String, "close_time": pl.String, **numbers})
        parts = [
            pl.scan_csv(path, has_header=False, schema=schema, raise_if_empty=False)
            for path in self._existing(symbols)
        ]
        table = pl.concat(parts) if parts else pl.LazyFrame(schema=schema)
        closes = pl.col("close_time").str.to_datetime(time_unit="us", time_zone="UTC")
        with replacing(out) as draft:
            table.with_columns(closes).sink_parquet(draft)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def _existing(self, symbols: Iterable[str]) -> Iterator[Path]:
        return (path for symbol in symbols if (path := self.path(symbol)).exists())


def write_instruments(instruments: Sequence[Instrument], path: Path) -> None:
    """Write a CSV that `glasstape instruments import` reads."""
    names = [field.name for field in fields(Instrument)]
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for item in instruments:
            values = (getattr(item, name) for name in names)
            writer.writerow("" if value is None else value for value in values)


def _row(bar: Bar) -> tuple[str | float, ...]:
    return (bar.symbol, bar.close_time.isoformat(), bar.open, bar.high, bar.low, bar.close, bar.volume)


def _text(request: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in request.items())
