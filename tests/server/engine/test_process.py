"""A tuned process multiplies on the number of threads that was set, and reuses the memory of its batches."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from threadpoolctl import threadpool_info
from glasstape_server.engine.process import tune_process
tune_process(1)
np.ones((8, 8)) @ np.ones((8, 8))
assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = (8 << 20) // 4096
"""Of one array."""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_a_tuned_process_reuses_memory_and_limits_blas():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2 * PAGES
