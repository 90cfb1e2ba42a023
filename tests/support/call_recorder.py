"""Records the calls of the server's functions, on every thread."""

import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "server"


class CallRecorder:
    """A profile function; see `sys.setprofile`."""

    def __init__(self):
        self._recording = False
        self._frames = {}
        self.files = []
        """Called files, relative to the repository, in order; repeated calls count once."""
        self.counts = Counter()
        """Calls by (file, qualified name of the function)."""
        self.reentered = set()
        """Functions that were called while they were running on the same thread."""

    @contextmanager
    def recording(self):
        """Record the calls within the block."""
        self._recording = True
        try:
            yield
        finally:
            self._recording = False

    def __call__(self, frame, event, argument):
        code = frame.f_code
        if not self._recording or event != "call" or not code.co_filename.startswith(str(SERVER)):
            return
        file = str(Path(code.co_filename).relative_to(ROOT))
        function = (file, code.co_qualname)
        if self.files[-1:] != [file]:
            self.files.append(file)
        if id(frame) in self._frames:
            return  # a coroutine that continues
        self._frames[id(frame)] = frame
        self.counts[function] += 1
        caller = frame.f_back
        while caller is not None:
            if caller.f_code is code and not code.co_name.startswith("<"):
                self.reentered.add(function)
            caller = caller.f_back


@contextmanager
def installed_recorder():
    """Yield a recorder for this thread and every thread that starts within the block."""
    recorder = CallRecorder()
    previous = sys.getprofile()
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        yield recorder
    finally:
        sys.setprofile(previous)
        threading.setprofile(None)
