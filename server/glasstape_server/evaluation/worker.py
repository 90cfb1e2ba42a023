"""Worker process of a pool of fits."""

import multiprocessing
import os
import signal
import threading

import torch
from threadpoolctl import threadpool_limits


def initialize_process() -> None:
    """Restrict a worker to one core, leave SIGINT to the parent, and end with it, also if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended.

    A worker holds both ends of the pool's queue, so that it would wait for work forever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
