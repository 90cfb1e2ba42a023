"""Runs scenarios against a client."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from glasstape.conformance import calling, following, reconnecting
from glasstape.conformance.scenario import SCENARIOS, Scenario, Trial

AT_ONCE = 4
ERROR_LINES = 3
"""Last lines of a client's standard error that are kept."""
MODULES = (following, reconnecting, calling)
"""Modules that register scenarios, in the order in which these are run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one scenario."""

    scenario: Scenario
    seconds: float
    failure: str
    """What the client did wrong; empty: it conforms, or was not asked."""
    skipped: str = ""
    """Why the scenario was not run."""
    errors: str = ""
    """End of the client's standard error, of a failure."""


def run(command: str, only: Sequence[str] = (), at_once: int = AT_ONCE) -> Iterator[Verdict]:
    """Run scenarios; yield the verdicts in their order.

    Args:
        command: of the client, with the placeholders {address}, {action}, {token} and {seconds}; it is split as a
            shell does, and run without one.
        only: names of scenarios; empty: all.
        at_once: clients at once; most of a scenario is waiting.

    Raises:
        ValueError: a name is unknown, or the command has no {address}, or a placeholder that is unknown.
        OSError: the command cannot be run.
    """
    check_command(command)
    if unknown := [name for name in only if name not in SCENARIOS]:
        raise ValueError(f"scenario: must be one of {', '.join(SCENARIOS)}, is {unknown[0]!r}")
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(partial(_run, command), [s for s in ordered() if not only or s.name in only])


def ordered() -> list[Scenario]:
    """Return every scenario, those of following first."""
    names = [module.__name__ for module in MODULES]
    return sorted(SCENARIOS.values(), key=lambda each: names.index(each.judge.__module__))


def check_command(command: str) -> None:
    """Check the placeholders of a command.

    Raises:
        ValueError: {address} is missing, or a placeholder is unknown.
    """
    try:
        command.format(address="", action="", token="", seconds="")
    except (KeyError, IndexError, ValueError) as error:
        known = "{address}, {action}, {token} and {seconds}"
        raise ValueError(f"command: may have the placeholders {known}, has another: {error}") from None
    if "{address}" not in command:
        raise ValueError("command: must have the placeholder {address}")


def _run(command: str, each: Scenario) -> Verdict:
    if each.action != "follow" and "{action}" not in command:
        return Verdict(each, 0, "", "the command has no {action}")
    if each.needs and each.needs not in command:
        return Verdict(each, 0, "", f"the command has no {each.needs}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="glasstape-conformance-") as name:
        trial, failure, errors = Trial(command, Path(name)), "", ""
        try:
            each.judge(trial)
        except AssertionError as error:
            failure = str(error) or "failed"
            file = Path(name) / "err"
            lines = file.read_text("utf-8", "replace").splitlines() if file.exists() else []
            errors = "\n".join(lines[-ERROR_LINES:])
        finally:
            trial.close()
    return Verdict(each, time.monotonic() - begun, failure, "", errors)
