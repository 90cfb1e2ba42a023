"""The environment variables GLASSTAPE_…: which of them are settings, and which a container platform has set."""

import difflib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

PREFIX = "GLASSTAPE_"
OTHERS = ("GLASSTAPE_SERVER", "GLASSTAPE_TOKEN_FILE", "GLASSTAPE_CONFIG")
"""Variables of the other commands and of the desktop."""

_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
_LINK_NAME = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")


def is_service_link(name: str, value: str) -> bool:
    """Return whether a variable is one that Kubernetes and Docker set for each service with our prefix in its name."""
    upper = name.upper()
    if not upper.startswith(PREFIX):
        return False
    ends_as_link = _LINK_NAME.search(upper.removeprefix(PREFIX.rstrip("_"))) is not None
    return ends_as_link or (upper.endswith("PORT") and _LINK_VALUE.fullmatch(value) is not None)


def without_service_links(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables except those of service links."""
    return {name: value for name, value in environment.items() if not is_service_link(name, value)}


def warnings(environment: Mapping[str, str], settings: Collection[str]) -> Iterator[str]:
    """Yield what an operator should know of the variables: ignored service links, and names of no setting.

    Args:
        environment: all variables.
        settings: names of the settings.
    """
    ours = {name: value for name, value in sorted(environment.items()) if name.upper().startswith(PREFIX)}
    links = [name for name, value in ours.items() if is_service_link(name, value)]
    if links:
        yield (
            f"environment: {', '.join(links)} ignored: Kubernetes sets these for a Service of that name; "
            "enableServiceLinks: false in the pod's specification turns them off"
        )
    known = {PREFIX + name.upper() for name in settings}
    for name in ours:
        if name in links or name.upper() in known or name in OTHERS:
            continue
        nearest = difflib.get_close_matches(name.upper(), sorted(known), 1, cutoff=0.8)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        yield f"environment: {name} is not a setting and is ignored{hint}"


class Variables(EnvSettingsSource):
    """Source of settings: the environment without the variables that Kubernetes sets for services."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in without_service_links(os.environ).items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return the list that a variable holds as JSON; its text if it is none, which the field's rule rejects."""
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
