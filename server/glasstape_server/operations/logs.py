"""Logs on standard error, as text or JSON; each line carries the id of its call."""

import logging
import os
import sys
import time
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from glasstape_server.operations.request_id import request_id

LogFormat = Literal["text", "json"]


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Send all log records of a level and above to standard error.

    Args:
        level: debug, info, warning or error.
        log_format: "text", or "json": one object per line with time, level, logger, message, request and
            exc_info.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request_id)
    handler.setFormatter(_JSON if log_format == "json" else _TEXT)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    if log_format == "json":
        # The gRPC core logs plain text, one line for each failed handshake.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _add_request_id(record: logging.LogRecord) -> bool:
    current = request_id.get()
    record.request = current
    record.bracketed_request = f" [{current}]" if current else ""
    return True


_TEXT = logging.Formatter("%(asctime)s %(levelname)s %(name)s%(bracketed_request)s: %(message)s")
_JSON = JsonFormatter(
    "{asctime}{levelname}{name}{message}{request}",
    style="{",
    rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
)
_JSON.default_time_format, _JSON.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
_JSON.converter = time.gmtime
