"""Values of settings that pydantic would accept or turn into others: what a source may give for each type of field."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from glasstape.textfile import read_text
from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, TomlConfigSettingsSource

from glasstape_server import environment
from glasstape_server.domain.times import INTERVALS

LIST_FORM = 'must be a list of texts, such as ["close=Last"]; a variable holds it as JSON'
_BROKER = r"(nats|tls)://[^\s,/@]+:\d{1,5}"
BROKERS = rf"^({_BROKER}(,{_BROKER})*)?$"
"""Pattern of the addresses of brokers, separated by commas; empty: none."""
_NUMBERS = {int, float}


def _whole_number(value: object) -> object:
    """Return the number of a text, as flags and variables give it; other values as they are."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Replicas = Annotated[Literal[1, 3, 5], BeforeValidator(_whole_number)]
"""Copies of a stream of the brokers."""


class PlainValues(BaseSettings):
    """Settings whose values are of the type of their field, before pydantic converts them."""

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[info.field_name or ""].annotation
        check_value(value, annotation)
        return value


class ConfigFile(TomlConfigSettingsSource):
    """A TOML file in any Unicode encoding."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return tomllib.loads(read_text(file_path))


def known_interval(text: str) -> str:
    """Return a bar interval.

    Raises:
        ValueError: there is no such interval.
    """
    if text not in INTERVALS:
        raise ValueError(f"must be one of {' '.join(INTERVALS)}, is {text!r}")
    return text


Interval = Annotated[str, AfterValidator(known_interval)]
"""A bar interval."""


def check_value(value: Any, annotation: Any) -> None:
    """Check a value before it is converted to the type of its field.

    Raises:
        ValueError: a text has a NUL character, a path is empty, a list is none, or a number is true or false.
    """
    kinds = {annotation, *get_args(annotation)}
    if annotation == tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(LIST_FORM)
        texts = [item for item in value if isinstance(item, str)]
    else:
        texts = [str(value)] if isinstance(value, str | Path) else []
    if any("\0" in text for text in texts):
        raise ValueError("must not contain a NUL character")
    if Path in kinds and value == "":  # which is the current folder as a path
        raise ValueError("must not be empty")
    if kinds & _NUMBERS and isinstance(value, bool):
        raise ValueError("must be a number")


def described(item: ErrorDetails, flags: Mapping[str, object]) -> str:
    """Return a rule that a setting breaks, with its field, value and variable.

    Args:
        item: the error.
        flags: values set on the command line, by setting.
    """
    field, rule = ".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")
    if not field:
        return rule
    name = str(item["loc"][0])
    variable = environment.PREFIX + name.upper()
    source = f", from {variable}" if name not in flags and variable in os.environ else ""
    return f"{field}: {rule} (value: {item['input']!r}{source})"


def parse_origin(text: str) -> str:
    """Return an origin, SCHEME://HOST[:PORT], in the form in which browsers send it.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(text)
    try:
        bare = parts._replace(path="", query="", fragment="").geturl() == text and parts.hostname
        port = parts.port
    except ValueError:
        bare, port = False, None
    if parts.scheme not in ("http", "https") or not bare or "@" in text or "*" in text:
        raise ValueError(f"must be http(s)://HOST[:PORT], without a path, is {text!r}")
    default = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")
