"""The demo ends what it has started."""

import os
import signal
import sys
import threading

import pytest
from glasstape.cli import demo


def test_an_interrupted_demo_ends_its_desktop_in_order(tmp_path):
    ended, started = tmp_path / "ended", tmp_path / "started"
    desktop = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(ended)!r}).touch(), sys.exit()))\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "time.sleep(60)\n"
    )

    def interrupt():
        while not started.exists():
            stop.wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    stop = threading.Event()
    thread = threading.Thread(target=interrupt)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        demo._run_desktop([sys.executable, "-c", desktop])
    thread.join()
    signal.signal(signal.SIGINT, handler)
    assert ended.exists()
