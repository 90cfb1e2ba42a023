"""What the logger `glasstape` says, as a list that grows."""

import logging
from contextlib import contextmanager


class _Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@contextmanager
def logged():
    handler = _Lines()
    logging.getLogger("glasstape").addHandler(handler)
    yield handler.lines
    logging.getLogger("glasstape").removeHandler(handler)
