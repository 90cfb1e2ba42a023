"""Threads that end with the process, for servers inside of it."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class DaemonPool(Executor):
    """Runs each call in a daemon thread; a limit holds further ones back.

    The threads of `concurrent.futures.ThreadPoolExecutor` are joined at the end of the process: an open stream of a
    server that was not closed would keep it alive.

    Args:
        threads: that run at a time.
    """

    def __init__(self, threads: int) -> None:
        self._slots = threading.Semaphore(threads)

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a call; return its future."""
        future: Future[Any] = Future()
        threading.Thread(
            target=self._run, name="glasstape-call", args=(future, call, args, kwargs), daemon=True
        ).start()
        return future

    def _run(self, future: Future[Any], call: Callable[..., Any], args: Any, kwargs: Any) -> None:
        with self._slots:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:  # it belongs to the future, of whatever kind it is
                future.set_exception(error)
