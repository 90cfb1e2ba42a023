"""Feature specs of `--features`: a named set, or a small JSON or TOML file."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasstape.textfile import read_text

if TYPE_CHECKING:
    from glasstape_server.features.spec import FeatureSpec

MIN_WINDOW, MAX_WINDOW = 6, 64
"""Bars in a window of a model to train."""
_EXAMPLE = '{"features": ["close_return", "range"], "window_bars": 12}'


def read_spec(features: str, window: int | None, session_gap: str | None) -> "FeatureSpec":
    """Return the spec of a set's name or of a file.

    Args:
        features: name of a set, or path of a file with the list `features` and parameters by name.
        window: bars in a window; None: as the file states, else the default.
        session_gap: split or span; None: as the file states, else the default.

    Raises:
        ValueError: no such set or file, unknown features or parameters, or a value that is out of range.
    """
    from glasstape_server.features.sets import SETS
    from glasstape_server.features.spec import FeatureSpec

    values: dict[str, Any] = {"features": list(SETS[features])} if features in SETS else _read(features)
    if window is not None:
        values["window_bars"] = window
    if session_gap is not None:
        values["session_gap"] = session_gap
    try:
        spec = FeatureSpec.from_dict(values)
    except ValueError as error:
        raise ValueError(f"--features {features}: {str(error).removeprefix('feature_spec.')}") from None
    if not MIN_WINDOW <= spec.window_bars <= MAX_WINDOW:
        source = "--window" if window is not None else f"--features {features}: window_bars"
        raise ValueError(f"{source}: must be {MIN_WINDOW}-{MAX_WINDOW}, is {spec.window_bars}")
    return spec


def _read(path: str) -> dict[str, Any]:
    """Return the values of a file; a name of a set in `features` is replaced by its list.

    Raises:
        ValueError: there is no such file, or it holds no table.
    """
    from glasstape_server.features.sets import SETS

    if not Path(path).is_file():
        raise ValueError(
            f"--features: must be {', '.join(SETS)} or a JSON or TOML file such as {_EXAMPLE}, is {path!r}"
        )
    text = read_text(Path(path))
    try:
        values = tomllib.loads(text) if path.lower().endswith(".toml") else json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.lower().endswith(".toml") else "JSON"
        raise ValueError(f"--features {path}: is not {kind}: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(
            f"--features {path}: must be a table such as {_EXAMPLE}, is a {type(values).__name__}"
        )
    if isinstance(values.get("features"), str) and values["features"] in SETS:
        values["features"] = list(SETS[values["features"]])
    return values
