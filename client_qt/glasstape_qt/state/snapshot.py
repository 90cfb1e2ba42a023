"""Rows of the last run, shown as old until newer ones arrive."""

import zlib
from pathlib import Path

from glasstape import GlasstapeError
from glasstape.session import read_session, write_session

from glasstape_qt.state.preferences import Profile
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges


def path_of(folder: Path, profile: Profile) -> Path:
    """Return the snapshot file of a profile."""
    source = profile.session or profile.address
    readable = "".join(sign for sign in profile.name if sign.isalnum())
    return folder / f"rows-{readable}-{zlib.crc32(f'{profile.name} {source}'.encode()):08x}.session.gz"


def save(path: Path, store: SignalStore) -> None:
    """Write the newest confidences; without rows, write nothing.

    Raises:
        OSError: the file cannot be written.
    """
    events = [row.event for row in store.rows.values()]
    if events:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_session(path, [(0.0, events)], store.models.values(), store.instruments.values(), snapshot=True)


def load(path: Path, store: SignalStore) -> tuple[StoreChanges, str]:
    """Restore the rows of the last run; return what changed, and the error if the file is damaged."""
    try:
        session = read_session(path)
    except FileNotFoundError:
        return StoreChanges(), ""
    except (GlasstapeError, OSError) as error:
        return StoreChanges(), str(error)
    changes = StoreChanges()
    for _, message in session.messages:
        changes.rows |= store.restore_rows(getattr(message, "events", ())).rows
    changes.rows |= store.describe(session.models, session.instruments).rows
    store.active_model = None
    return changes, ""
