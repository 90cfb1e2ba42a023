"""The command `glasstape`. Subcommands are entry points, loaded when they run.

A subcommand is a module with HELP, `add_arguments(parser)` and `run(options) -> exit status`.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from glasstape.cli import output

GROUP = "glasstape.commands"

_EXTRAS = {
    "matplotlib": "cli",
    "prometheus_client": "follow",
    "rich": "cli",
    "torch": "server",
    "pydantic": "server",
    "pydantic_settings": "server",
    "polars": "server",
    "safetensors": "server",
    "grpc_reflection": "server",
    "filelock": "server",
    "glasstape_server": "server",
    "PyQt6": "desktop",
    "pyqtgraph": "desktop",
    "glasstape_qt": "desktop",
}
"""The extra that installs a module."""

EXTRA_OF_COMMAND = {
    "backup": "server",
    "bench": "server",
    "desk": "desktop",
    "evaluate": "server",
    "portfolio": "server",
    "restore": "server",
    "retrain": "server",
    "runs": "server",
    "serve": "server",
    "tokens": "server",
    "train": "server",
}
"""Extra that installs each command of the other distributions."""


class Command(Protocol):
    """Module of a subcommand."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...  # noqa: D102
    def run(self, options: argparse.Namespace) -> int: ...  # noqa: D102


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status.

    Raises:
        SystemExit: of the parser of arguments, after help or an invalid argument.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    output.prepare()
    try:
        return output.finished(_dispatch(words))
    except SystemExit as end:  # of the parser of arguments
        if isinstance(end.code, int):
            end.code = output.finished(end.code)
        raise
    except KeyboardInterrupt:
        return output.finished(130)
    except BrokenPipeError:
        return output.finished(0)
    except OSError as error:
        output.report(str(error))
        return output.finished(1)


def _dispatch(words: Sequence[str]) -> int:
    commands = {entry.name: entry for entry in entry_points(group=GROUP)}
    name = words[0] if words else ""
    if name == "--version":
        from glasstape import __version__

        print(f"glasstape {__version__}")
        return 0
    if name in EXTRA_OF_COMMAND and name not in commands:
        return _requires(name, EXTRA_OF_COMMAND[name])
    if name not in commands:
        return _overview(commands, name)
    try:
        command: Command = commands[name].load()
        parser = argparse.ArgumentParser(f"glasstape {name}", description=command.HELP, allow_abbrev=False)
        command.add_arguments(parser)
        return command.run(parser.parse_args(words[1:]))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            return _report_packages(error)
        return _requires(name, extra)
    except Exception as error:
        return _report_packages(error)


def _report_packages(error: Exception) -> int:
    """Report packages that are missing or too old, if they are the cause of an error; return the exit status.

    Raises:
        Exception: they are not.
    """
    from glasstape.cli.installation import package_problems

    problems = package_problems(error)
    if not problems:
        raise error
    for problem in problems:
        print(f"glasstape: {problem}", file=sys.stderr)
    return 1


def _requires(name: str, extra: str) -> int:
    """Report a missing extra; return the exit status."""
    print(
        f"glasstape {name}: requires an optional dependency: pip install 'glasstape[{extra}]'",
        file=sys.stderr,
    )
    return 1


def _overview(commands: dict[str, EntryPoint], name: str) -> int:
    requested = name in ("", "-h", "--help")
    out = sys.stdout if requested else sys.stderr
    if not requested:
        print(f"glasstape: unknown command {name!r}\n", file=out)
    print("usage: glasstape COMMAND [options]\n", file=out)
    texts = {command: f"(requires glasstape[{extra}])" for command, extra in EXTRA_OF_COMMAND.items()}
    for entry in commands.values():
        try:
            texts[entry.name] = entry.load().HELP
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").split(".")[0], "?")
            texts[entry.name] = f"(requires glasstape[{extra}])"
    for command, text in sorted(texts.items()):
        print(f"  {command:<10} {text}", file=out)
    print("\n`glasstape COMMAND --help` lists the options of a command.", file=out)
    return 0 if requested else 2
