"""Settings of a process that computes: threads of BLAS, and how the C library keeps memory."""

import ctypes
import sys

from threadpoolctl import threadpool_limits

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 128 << 20
"""Freed memory at the end of the heap that the process keeps."""
_MAPPED_BYTES = 32 << 20
"""Size from which on a block of memory is mapped by itself, and returned to the system when it is freed."""


def tune_process(blas_threads: int) -> None:
    """Prepare this process for computing small batches one after the other.

    A second thread of numpy's BLAS would spin on a core that other threads need. And glibc returns the memory of
    intermediate results to the system after each batch: the page faults of the next one cost more than its arithmetic.

    Args:
        blas_threads: threads of a matrix product of numpy.
    """
    threadpool_limits(blas_threads, user_api="blas")
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone
        if mallopt is not None:
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
            mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
