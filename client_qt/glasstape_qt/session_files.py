"""Files of recorded sessions."""

from importlib.resources import files
from pathlib import Path

from glasstape_qt.state.preferences import DEMO, Profile

DEMO_SESSION = Path(str(files("glasstape_qt") / "resources/demo.session.gz"))


def session_path(profile: Profile) -> Path:
    """Return the session file of a profile; `demo` is the bundled one."""
    return DEMO_SESSION if profile.session == DEMO else Path(profile.session).expanduser()
