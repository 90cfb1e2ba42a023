"""Id that links a call to its log lines."""

import contextvars
import random
import re

REQUEST_ID = "x-request-id"
"""Metadata key of an id chosen by the client; without it the server generates one."""
_VALID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Id of the running call; empty outside calls."""


def request_id_or_new(value: str) -> str:
    """Return `value` if it is a valid id (1-64 of A-Z a-z 0-9 . _ : -), else a new random id."""
    # Not `secrets`: the system call gives up the interpreter's lock, and waits for it behind other threads.
    return value if _VALID.fullmatch(value) else f"{random.getrandbits(64):016x}"
