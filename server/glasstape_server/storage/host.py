"""Identity of this process among the processes of all hosts that may share a folder."""

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

from glasstape_server.storage.temporary import is_running

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class HostProcess:
    """A process of one host."""

    host: str
    boot_id: str
    """Changes when the host is restarted; where the system has none, it identifies the machine only."""
    pid: int
    pid_namespace: int
    """Process numbers are comparable within one namespace; 0 where the system has none."""

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host}"

    def has_ended(self) -> bool:
        """Return whether this process is known to run no longer; False for a process that cannot be seen."""
        here = this_process()
        visible = (self.boot_id, self.pid_namespace) == (here.boot_id, here.pid_namespace)
        return visible and (self.pid == here.pid or not is_running(self.pid))


def this_process() -> HostProcess:
    """Return the identity of this process."""
    try:
        boot_id = _BOOT_ID.read_text("ascii").strip()
    except OSError:
        boot_id = f"{uuid.getnode():012x}"
    try:
        namespace = _PID_NAMESPACE.stat().st_ino
    except OSError:
        namespace = 0
    return HostProcess(socket.gethostname(), boot_id, os.getpid(), namespace)
