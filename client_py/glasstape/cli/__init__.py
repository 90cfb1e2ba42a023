"""The command `glasstape`. Subcommands are found by entry point and loaded only when they run.

A subcommand is a module with HELP, `add_arguments(parser)` and `run(options) -> exit status`.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

GROUP = "glasstape.commands"

_EXTRAS = {
    "matplotlib": "cli",
    "rich": "cli",
    "torch": "server",
    "pydantic": "server",
    "pydantic_settings": "server",
    "polars": "server",
    "safetensors": "server",
    "grpc_health": "server",
    "grpc_reflection": "server",
    "filelock": "server",
    "glasstape_server": "server",
    "PyQt6": "desktop",
    "pyqtgraph": "desktop",
    "glasstape_qt": "desktop",
}
"""Which extra brings a module."""

EXTRA_OF_COMMAND = {
    "backup": "server",
    "bench": "server",
    "desk": "desktop",
    "evaluate": "server",
    "restore": "server",
    "serve": "server",
    "tokens": "server",
    "train": "server",
}
"""Extra that installs each command of the other distributions."""


class Command(Protocol):
    """A subcommand's module."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...  # noqa: D102
    def run(self, options: argparse.Namespace) -> int: ...  # noqa: D102


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away (| head): nothing to say
        return 0


def _dispatch(given: Sequence[str]) -> int:
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    name = given[0] if given else ""
    if name == "--version":
        from glasstape import __version__

        print(f"glasstape {__version__}")
        return 0
    if name in EXTRA_OF_COMMAND and name not in found:
        return _needs(name, EXTRA_OF_COMMAND[name])
    if name not in found:
        return _overview(found, name)
    try:
        command: Command = found[name].load()
        parser = argparse.ArgumentParser(f"glasstape {name}", description=command.HELP, allow_abbrev=False)
        command.add_arguments(parser)
        return command.run(parser.parse_args(given[1:]))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        return _needs(name, extra)


def _needs(name: str, extra: str) -> int:
    """Report a missing extra; returns the exit status."""
    print(f"glasstape {name} needs an extra: pip install 'glasstape[{extra}]'", file=sys.stderr)
    return 1


def _overview(found: dict[str, EntryPoint], name: str) -> int:
    asked = name in ("", "-h", "--help")
    out = sys.stdout if asked else sys.stderr
    if not asked:
        print(f"glasstape: no command {name!r}\n", file=out)
    print("usage: glasstape COMMAND [options]      (glasstape COMMAND --help tells more)\n", file=out)
    texts = {command: f"(needs glasstape[{extra}])" for command, extra in EXTRA_OF_COMMAND.items()}
    for entry in found.values():
        try:
            texts[entry.name] = entry.load().HELP
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").split(".")[0], "?")
            texts[entry.name] = f"(needs glasstape[{extra}])"
    for command, text in sorted(texts.items()):
        print(f"  {command:<10} {text}", file=out)
    return 0 if asked else 2
