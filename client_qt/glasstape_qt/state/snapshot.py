"""The rows of the last run, so that the next one opens with something to look at, marked old."""

import zlib
from pathlib import Path

from glasstape import GlasstapeError
from glasstape.session import read_session, write_session

from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.preferences import Profile


def path_of(folder: Path, profile: Profile) -> Path:
    """The file of a profile's rows."""
    where = profile.session or profile.address
    readable = "".join(sign for sign in profile.name if sign.isalnum())
    return folder / f"rows-{readable}-{zlib.crc32(f'{profile.name} {where}'.encode()):08x}.session.gz"


def save(path: Path, desk: Desk) -> None:
    """Keep the newest confidences.

    Raises:
        OSError: the file cannot be written.
    """
    events = [row.event for row in desk.rows.values()]
    if events:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_session(path, [(0.0, events)], desk.models.values(), desk.instruments.values(), snapshot=True)


def load(path: Path, desk: Desk) -> tuple[Changes, str]:
    """Rows of the last run, and why there are none if the file is damaged."""
    try:
        session = read_session(path)
    except FileNotFoundError:
        return Changes(), ""
    except (GlasstapeError, OSError) as error:
        return Changes(), str(error)
    changes = Changes()
    for _, message in session.messages:
        changes.rows |= desk.remember(getattr(message, "events", ())).rows
    changes.rows |= desk.describe(session.models, session.instruments).rows
    desk.active = None
    return changes, ""
