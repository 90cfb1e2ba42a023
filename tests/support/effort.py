"""How hard the fault suite tries: a little in every test run, for long with `make faults`."""

import os

LONG = os.environ.get("GLASSTAPE_FAULTS") == "long"


def effort(short, long):
    """The one or the other."""
    return long if LONG else short
