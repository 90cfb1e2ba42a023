"""Logs on standard error, for people or, as JSON, for machines; each line names the call that it is about."""

import logging
import os
import sys
import time
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from glasstape_server.operations.traffic import request_id

LogFormat = Literal["text", "json"]


def set_up(level: str, how: LogFormat) -> None:
    """Log everything from a level on.

    Args:
        level: debug, info, warning or error.
        how: "text", or "json": an object a line with time, level, logger, message, request and exc_info.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_with_request)
    handler.setFormatter(_JSON if how == "json" else _TEXT)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    if how == "json":
        # grpc's own library writes plain lines, one for each handshake of a port scanner.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _with_request(record: logging.LogRecord) -> bool:
    named = request_id.get()
    record.request = named
    record.about = f" [{named}]" if named else ""
    return True


_TEXT = logging.Formatter("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")
_JSON = JsonFormatter(
    "{asctime}{levelname}{name}{message}{request}",
    style="{",
    rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
)
_JSON.default_time_format, _JSON.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
_JSON.converter = time.gmtime
