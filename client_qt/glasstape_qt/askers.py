"""A few threads over a line of keyed work."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable

THREADS = 2


class Askers:
    """Runs work beside the GUI. Newer work of the same key replaces what still waits."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Callable[[], None]] = OrderedDict()
        self._changed = threading.Condition()
        self._stopped = False
        self._threads: list[threading.Thread] = []

    def put(self, key: str, work: Callable[[], None]) -> None:
        """Run something soon."""
        with self._changed:
            self._waiting[key] = work
            if len(self._threads) < THREADS:
                self._threads.append(threading.Thread(target=self._run, name="glasstape-asker"))
                self._threads[-1].start()
            self._changed.notify()

    def stop(self) -> None:
        """Drop what waits, and wait for what runs."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return
                _, work = self._waiting.popitem(last=False)
            try:
                work()
            except Exception:  # one mistake must not end the thread; the crash watch shows it
                sys.excepthook(*sys.exc_info())
