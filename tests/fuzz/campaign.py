"""Fuzz every target until it has had its share of CPU time.

`python tests/fuzz/campaign.py --minutes 20` takes as many CPU-minutes for each target, `--jobs` at a time.
A target runs in rounds, each with a seed of its own; the first failure ends it and is shown with its seed.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

TARGETS = Path(__file__).parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "9000")


@dataclass(slots=True)
class Tally:
    """What a target has had so far."""

    target: str
    examples: int = 0
    seconds: float = 0.0
    """CPU time of the target, the server it calls and the readers it starts."""
    failure: str = ""

    def __str__(self) -> str:
        name = self.target.split("::")[1].removeprefix("test_every_")
        said = f"{name}: {self.examples:,} examples, {self.seconds / 60:.1f} CPU-min"
        return said + (f"\n{self.failure}" if self.failure else ", nothing found")


def targets(wanted: str) -> list[str]:
    listed = subprocess.run(
        [*PYTEST, "--collect-only", "-k", wanted, str(TARGETS)], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if "::" in line]


def run(target: str, minutes: float, examples: int) -> Tally:
    tally = Tally(target)
    while tally.seconds < minutes * 60 and not tally.failure:
        seed = tally.examples // examples + 1
        code, said, seconds = one_round(target, examples, seed)
        tally.seconds += seconds
        tally.examples += examples
        if code:
            tally.failure = f"seed {seed}: {said[-6000:]}"
    print(tally, flush=True)
    return tally


def one_round(target: str, examples: int, seed: int) -> tuple[int, str, float]:
    """Exit status, output and CPU seconds, those of all its child processes among them."""
    surroundings = {**os.environ, "GLASSTAPE_FAULTS": "long", "GLASSTAPE_FUZZ": str(examples)}
    with TemporaryFile() as output:
        started = subprocess.Popen(
            [*PYTEST, f"--hypothesis-seed={seed}", target], stdout=output, stderr=output, env=surroundings
        )
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    return started.returncode, said, used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="CPU-minutes for each target")
    parser.add_argument("--examples", type=int, default=40_000, help="of a round")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("-k", default="test_every", help="pytest's expression for the targets wanted")
    wanted = parser.parse_args()
    with ThreadPoolExecutor(wanted.jobs) as workers:
        found = list(workers.map(lambda t: run(t, wanted.minutes, wanted.examples), targets(wanted.k)))
    return int(any(tally.failure for tally in found))


if __name__ == "__main__":
    sys.exit(main())
