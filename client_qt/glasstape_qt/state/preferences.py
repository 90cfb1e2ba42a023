"""Preferences of the user, stored in one JSON file; tokens are in the keyring, see `token_store`."""

import json
import os
import shutil
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from glasstape.address import Address
from glasstape.replacing import replacing
from glasstape.textfile import read_text
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from glasstape_qt.state.chart_preferences import ChartPreferences

SCHEMA = 1
"""Version of the file; raised only when older files cannot be read as they are."""
DEMO = "demo"
BOTH_MAPS = "both"
"""Value of `Preferences.method`: importance and contributions side by side."""
LANGUAGES = ("system", "en", "ko")
THEMES = ("system", "light", "dark")
PALETTES = ("system", "korea", "east-asia", "west", "okabe-ito")
PLACES = ("dock", "tab", "window")


class _ValidatedModel(BaseModel):
    model_config = ConfigDict(validate_assignment=True)


class Profile(_ValidatedModel):
    """A server or a recorded session to connect to."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    address: str = ""
    """As `glasstape.address` describes; empty for a session."""
    tls: bool = False
    root_certificates: str = ""
    """PEM file of the certificate authorities to trust; empty: the system's."""
    token: bool = False
    """Whether a token is stored in the system's keyring."""
    token_file: str = ""
    """File that the token is read from instead; empty: none."""
    session: str = ""
    """File of a recorded session; `demo` is the bundled one."""
    speed: Annotated[float, Field(ge=0.01, le=100)] = 1.0

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        return str(Address.parse(value)) if value else value


class AlertPreferences(_ValidatedModel):
    """Stored form of `state.alerts.AlertRules`."""

    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    muted: bool = False
    sound: bool = True
    notify: bool = True
    replays: bool = False
    every: Annotated[float, Field(ge=1, le=3600)] = 20.0
    quiet_from: time | None = None
    quiet_until: time | None = None


class Preferences(_ValidatedModel):
    """Everything that is stored between runs."""

    schema_number: int = SCHEMA
    language: Literal["system", "en", "ko"] = "system"
    theme: Literal["system", "light", "dark"] = "system"
    palette: Literal["system", "korea", "east-asia", "west", "okabe-ito"] = "system"
    """"system": the convention of the language or, in English, of the locale."""
    zoom: Annotated[float, Field(ge=0.6, le=3.0)] = 1.0
    motion: bool = True
    """Whether rows flash when their class changes."""
    row_color: Literal["row", "strip", "bar"] = "row"
    """What of a row has the color of the confidence of UP."""
    detail_place: Literal["dock", "tab", "window"] = "dock"
    clock: Literal["exchange", "local", "utc"] = "exchange"
    shared_scale: bool = True
    method: str = BOTH_MAPS
    """`BOTH_MAPS`, or the one method whose map is shown."""
    score: str = "unspecified"
    """The score to explain; "unspecified": the default of the method."""
    profiles: list[Profile] = Field(
        min_length=1,
        default_factory=lambda: [
            Profile(name="local", address="localhost:50551"),
            Profile(name=DEMO, session=DEMO),
        ],
    )
    profile: str = "local"
    last_connection: Profile | None = None
    """Server or session of the command line that was used last; None: it was `profile`."""
    alerts: AlertPreferences = Field(default_factory=AlertPreferences)
    chart: ChartPreferences = Field(default_factory=ChartPreferences)
    abstained_buys: bool = False
    """Whether the list of buys has abstained ones too."""
    hidden_columns: list[str] = Field(default_factory=list)
    groups: dict[str, list[str]] = Field(default_factory=dict)
    open_details: list[str] = Field(default_factory=list)
    """Details that were open: "symbol place"."""
    detail_windows: dict[str, tuple[int, int, int, int]] = Field(default_factory=dict)
    """Left, top, width and height of each detail that was in a window of its own, by symbol."""
    layouts: dict[str, str] = Field(default_factory=dict)
    """Base64 of Qt's saved state of windows and headers, by name and schema number."""

    def current(self) -> Profile:
        """Return the connection used last: of the command line, or the selected profile, else the first one."""
        if self.last_connection is not None:
            return self.last_connection
        return next((known for known in self.profiles if known.name == self.profile), self.profiles[0])


def folder() -> Path:
    """Return the folder of the preferences file; GLASSTAPE_CONFIG overrides it."""
    return Path(
        os.environ.get("GLASSTAPE_CONFIG") or platformdirs.user_config_dir("glasstape", appauthor=False)
    )


def load(path: Path) -> tuple[Preferences, str]:
    """Return the preferences, and what is wrong with the file; a copy of a damaged file is kept.

    Wrong values are replaced by their defaults; a file that is no JSON object is replaced as a whole.
    """
    try:
        stored = json.loads(read_text(path))
    except FileNotFoundError:
        return Preferences(), ""
    except (OSError, ValueError, RecursionError) as error:
        return Preferences(), _keep_damaged(path, str(error))
    number = stored.get("schema_number", SCHEMA) if isinstance(stored, dict) else None
    if number != SCHEMA:
        return Preferences(), _keep_damaged(path, f"schema_number must be {SCHEMA}, is {number!r}")
    preferences, errors = _without_wrong_values(stored)
    return preferences, _keep_damaged(path, "; ".join(errors)) if errors else ""


def _without_wrong_values(stored: dict[str, Any]) -> tuple[Preferences, list[str]]:
    """Return the preferences of a file's content and what was left out of it."""
    errors: list[str] = []
    while True:
        try:
            return Preferences.model_validate(stored), errors
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            errors.append(f"{where}: {first['msg']}, is {first['input']!r}")
            _remove(stored, first["loc"])
            profiles = stored.get("profiles")
            if isinstance(profiles, list):  # without its address, a profile is of no use
                stored["profiles"] = [item for item in profiles if _has_target(item)]


def _has_target(profile: Any) -> bool:
    return not isinstance(profile, dict) or bool(profile.get("address") or profile.get("session"))


def _remove(stored: Any, where: tuple[int | str, ...]) -> None:
    """Remove the innermost part of `where` that the content has: a missing or tagged part is no key of it."""
    owner, key = stored, where[0]
    for part in where[1:]:
        inner = owner[key]
        known = isinstance(inner, dict) and part in inner
        if not known and not (isinstance(inner, list) and isinstance(part, int) and part < len(inner)):
            break
        owner, key = inner, part
    del owner[key]


def save(path: Path, preferences: Preferences) -> None:
    """Write the file atomically.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_text(preferences.model_dump_json(indent=2), encoding="utf-8")


def _keep_damaged(path: Path, reason: str) -> str:
    """Copy a file to a name of its own; return the reason with that name."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    try:
        shutil.copyfile(path, aside)
    except OSError:
        return reason
    return f"{reason} ({aside})"
