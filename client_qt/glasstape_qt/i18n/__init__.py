"""The desktop's words, in English and Korean. `say` looks a key up in the language in use."""

import locale
import os
import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ko")
_language = "en"


@cache
def table(language: str) -> dict[str, str]:
    """Every text of a language by its dotted key."""
    text = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text), ""))


def use(language: str) -> None:
    """Speak another language from now on; "system" is the one of the machine."""
    global _language
    _language = _of_the_system() if language == "system" else language


def language() -> str:
    """What is spoken: "en" or "ko"."""
    return _language


def say(key: str, **values: object) -> str:
    """A text, filled.

    Raises:
        KeyError: there is no such key: a mistake of ours, found by a test.
    """
    return table(_language)[key].format(**values)


def _of_the_system() -> str:
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    names.append(locale.getlocale()[0] or "")
    chosen = next((name for name in names if name), "")
    return "ko" if chosen.lower().startswith(("ko", "korean")) else "en"


def _flat(part: dict[str, object], prefix: str) -> list[tuple[str, str]]:
    found = []
    for name, value in part.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", str(value)))
    return found
