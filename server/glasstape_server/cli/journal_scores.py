"""Scores of the signals that a server has journaled, and the bars that it has stored."""

from pathlib import Path
from typing import TYPE_CHECKING

from glasstape_server.cli.data_folder import ARTIFACTS, DATABASES, LIVE, journal_of

if TYPE_CHECKING:
    import polars as pl

    from glasstape_server.domain.signals import Event
    from glasstape_server.evaluation.book_scores import BookScores

PAGE = 10_000
"""Events that are read at once."""


def journal_scores(
    folder: Path, interval: str, score: str, model: str = ""
) -> "tuple[BookScores, pl.DataFrame]":
    """Return scores of journaled signals, and the closes of stored bars with trades.

    Signals at closes that their model was made of are left out. Of two signals of a symbol and close, the later counts.

    Args:
        folder: data folder of a server, which may be running.
        interval: of the signals.
        score: see `book_scores.score_of`.
        model: NAME or NAME@VERSION whose signals count; "": all that were published.

    Raises:
        ValueError: there is no journal, or no signal that counts.
        DataLoss: the journal or the bars are damaged.
        Unavailable: they cannot be read now.
        OSError: they cannot be opened.
    """
    import numpy as np
    import polars as pl

    from glasstape_server.evaluation.book_scores import BookScores, score_of
    from glasstape_server.market.traded_closes import traded_closes

    path = journal_of(folder)
    if not path.is_file():
        raise ValueError(f"--journal: {folder} has no live journal")
    journaled = _signals(path)
    events = [e for e in journaled if e.interval == interval and model in ("", e.model.name, _name(e))]
    if not events:
        kinds = ", ".join(sorted({f"{event.interval} of {_name(event)}" for event in journaled}))
        wanted = f"{interval} signals of {model or 'any model'}"
        raise ValueError(f"--journal: {folder} has no {wanted}; it has {kinds or 'no signals'}")
    known = {digest: _seen_until(folder, digest) for digest in {event.model.digest for event in events}}
    unseen = [event for event in events if event.bar_close_time > known[event.model.digest]]
    if not unseen:
        raise ValueError(
            f"--journal: all {len(events):,} signals of {folder} are of closes that their models were made of, "
            "or of models whose artifact is missing"
        )
    closes = traded_closes(folder / LIVE / DATABASES[1], interval)
    stated = np.array([_probabilities(event) for event in unseen])
    frame = pl.DataFrame(
        {
            "symbol": [event.symbol for event in unseen],
            "close_time": [event.bar_close_time for event in unseen],
            "publish_time": [event.publish_time for event in unseen],
            "score": score_of(score, stated),
        }
    ).unique(["symbol", "close_time"], keep="last", maintain_order=True)
    notes = []
    if left := len(events) - len(unseen):
        notes.append(f"{left:,} signals at closes that their models were made of are left out")
    if late := _late(frame, closes):
        notes.append(
            f"{late:,} of {frame.height:,} signals were published after the next close of their symbol: live, they "
            "could not have been traded there"
        )
    used = sorted({_name(event) for event in unseen})
    return BookScores(frame, f"journal of {folder.name}: {', '.join(used)}", tuple(notes)), closes


def _signals(path: Path) -> "list[Event]":
    from glasstape_server.domain.signals import Kind
    from glasstape_server.rpc.convert.signals import decode_event
    from glasstape_server.signals.journal.records import Selection
    from glasstape_server.signals.journal.sqlite.history import SqliteHistory

    history, after, last = SqliteHistory(path), 0, (1 << 63) - 1
    wanted = Selection(kinds=frozenset({Kind.CONFIDENCE}))
    events: list[Event] = []
    try:
        while records := history.page(wanted, after + 1, last, PAGE, False):
            events += [decode_event(record.payload, record.model) for record in records]
            after = records[-1].sequence
    finally:
        history.close()
    return events


def _name(event: "Event") -> str:
    return f"{event.model.name}@{event.model.version}"


def _seen_until(folder: Path, digest: str) -> float:
    """Return the last close that a model was made of, microseconds; infinity if its artifact is missing."""
    from glasstape_server.models.artifact import ArtifactError, read_manifest
    from glasstape_server.models.training_facts import TrainingFacts

    try:
        return TrainingFacts.of(read_manifest(folder / ARTIFACTS / digest, archived=True)).seen_until
    except ArtifactError:
        return float("inf")


def _probabilities(event: "Event") -> tuple[float, float, float]:
    from glasstape_server.domain.signals import Signal

    assert isinstance(event.body, Signal)
    stated = event.body.confidence
    return stated.down, stated.flat, stated.up


def _late(signals: "pl.DataFrame", closes: "pl.DataFrame") -> int:
    """Return how many signals were published after the next close of their symbol."""
    import polars as pl

    following = closes.with_columns(next=pl.col("close_time").shift(-1).over("symbol"))
    joined = signals.join(following, on=["symbol", "close_time"], how="inner")
    return int((joined["publish_time"] > joined["next"]).sum())
