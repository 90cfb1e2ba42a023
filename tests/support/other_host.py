"""Servers that believe to be on another host."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from glasstape_server.storage import folder_lock, host, lease
from running import ServerProcess
from warm import ForkedServer

VALID_S = 2.0
"""Validity of a lease; the other times follow from it."""


def become(name: str) -> None:
    """Let this process be another host's: with a name and a boot id of its own, and a lock that others do not see."""
    own = replace(host.this_process(), host=name, boot_id=f"boot-of-{name}")
    host.this_process = lease.this_process = lambda: own
    folder_lock.LOCK = f"lock-{name}"
    lease.VALID_S, lease.TAKEOVER_S = VALID_S, 1.5 * VALID_S
    lease.RENEW_S = lease.SETTLE_S = 0.2 * VALID_S


class OtherHost(ServerProcess):
    """A server of the host `name`."""

    def __init__(self, name: str, data_dir: Path, *flags: str) -> None:
        super().__init__(data_dir, *flags)
        self._begin = partial(ForkedServer, prepare=partial(become, name))

    def start_refused(self) -> str:
        """Return why it does not start."""
        with pytest.raises(AssertionError) as caught:
            self.start()
        return str(caught.value)
