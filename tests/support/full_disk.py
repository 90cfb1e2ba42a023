"""A disk that is full, for the files of this process."""

import contextlib
import resource


@contextlib.contextmanager
def file_size_limit(size):
    """Make files unable to grow beyond so many bytes: a write there fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
