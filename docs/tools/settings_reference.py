"""Generate docs/reference/settings.md from the fields of the server's settings."""

import sys
import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from glasstape_server.settings import BUNDLED_MODELS, Settings
from pydantic.fields import FieldInfo
from reference_page import publish, table

HEAD = """# Settings of the server

Each setting is a flag of `glasstape serve`, an environment variable, and a key of the TOML file that `--config` names.
A flag takes precedence over the environment, the environment over the file. The setting `data_dir` is the flag
`--data-dir`, the variable `GLASSTAPE_DATA_DIR` and the key `data_dir`; a bool is a flag without a value.

"""


def main() -> int:
    """Write or check the page; return the exit status."""
    rows = [
        (f"`{name}`", _type(field.annotation) + _range(field), _default(field), _text(field))
        for name, field in Settings.model_fields.items()
    ]
    return publish("settings.md", HEAD + table(("Setting", "Type", "Default", "Description"), rows))


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is types.UnionType:
        return _type(next(part for part in get_args(annotation) if part is not type(None)))
    return {Path: "path"}.get(annotation) or str(annotation.__name__)


def _range(field: FieldInfo) -> str:
    bounds = {
        sign: getattr(constraint, attribute)
        for constraint in field.metadata
        for attribute, sign in (("gt", "> "), ("ge", "≥ "), ("le", "≤ "))
        if hasattr(constraint, attribute)
    }
    return "".join(f", {sign}{value:,}" for sign, value in bounds.items())


def _default(field: FieldInfo) -> str:
    if field.default == BUNDLED_MODELS:
        return "the bundled models"
    return "" if field.default in ("", None) else f"`{field.default}`"


def _text(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


if __name__ == "__main__":
    sys.exit(main())
