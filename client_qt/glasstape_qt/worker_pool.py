"""A small thread pool with keyed jobs."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable

THREADS = 2


class WorkerPool:
    """Runs jobs on background threads. A newer job replaces a pending one with the same key."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, Callable[[], None]] = OrderedDict()
        self._changed = threading.Condition()
        self._stopped = False
        self._threads: list[threading.Thread] = []

    def submit(self, key: str, job: Callable[[], None]) -> None:
        """Queue a job; threads are started as needed."""
        with self._changed:
            self._pending[key] = job
            if len(self._threads) < THREADS:
                self._threads.append(threading.Thread(target=self._run, name="glasstape-worker"))
                self._threads[-1].start()
            self._changed.notify()

    def stop(self) -> None:
        """Drop pending jobs and join the threads."""
        with self._changed:
            self._stopped = True
            self._pending.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._stopped)
                if self._stopped:
                    return
                _, job = self._pending.popitem(last=False)
            try:
                job()
            except Exception:  # an error in one job must not end the thread; the crash reporter shows it
                sys.excepthook(*sys.exc_info())
