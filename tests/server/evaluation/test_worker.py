"""Worker processes of evaluations and searches."""

import os
import signal
import subprocess
import sys

PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from glasstape_server.evaluation.worker import initialize_process

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=initialize_process)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_a_worker_ends_with_its_parent_also_if_that_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True)
    with parent:
        worker = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        try:
            parent.communicate(timeout=90)  # until the worker, which has the same output, has ended
        except subprocess.TimeoutExpired:
            os.kill(worker, signal.SIGKILL)
            raise
