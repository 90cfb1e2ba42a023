"""Texts of the user interface in English and Korean: one TOML file per language, looked up by dotted key."""

import locale
import os
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "ko")
_language = "en"


def set_language(language: str) -> None:
    """Select the language of `tr`: one of `LANGUAGES`, or "system" for that of the system."""
    global _language
    _language = _system_language() if language == "system" else language


def language() -> str:
    """Return the selected language: "en" or "ko"."""
    return _language


def tr(key: str, **values: object) -> str:
    """Return a text in the selected language with its placeholders filled.

    Raises:
        KeyError: no such key or placeholder value; a test checks every call.
    """
    return texts(_language)[key].format(**values)


@cache
def texts(language: str) -> dict[str, str]:
    """Return every text of a language by its dotted key."""
    content = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return _flatten(tomllib.loads(content))


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        key = f"{prefix}{name}"
        flat |= _flatten(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return flat


def system_locale() -> str:
    """Return the name of the system's locale, for example "ko_KR.UTF-8"; "" if it is not set."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    names.append(locale.getlocale()[0] or "")
    return next((name for name in names if name), "")


def _system_language() -> str:
    return "ko" if system_locale().lower().startswith(("ko", "korean")) else "en"
