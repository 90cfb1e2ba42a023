"""The installed sources, found through the entry-point group `glasstape.sources`."""

import argparse
from importlib.metadata import entry_points

from glasstape.sources.errors import SourceError
from glasstape.sources.source import Source

GROUP = "glasstape.sources"


def installed_sources() -> dict[str, type[Source]]:
    """Return the source classes by name.

    Raises:
        SourceError: an entry point cannot be imported, or is no subclass of `Source`.
    """
    return {entry.name: _loaded(entry.name) for entry in sorted(entry_points(group=GROUP))}


def _loaded(name: str) -> type[Source]:
    (entry,) = entry_points(group=GROUP, name=name)
    try:
        source = entry.load()
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {name} ({entry.value}) cannot be imported: {error}") from error
    if not (isinstance(source, type) and issubclass(source, Source)):
        raise SourceError(f"source {name} ({entry.value}) is not a subclass of glasstape.sources.Source")
    return source


def add_sources(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Add a subcommand for each source, with its own options; return their parsers."""
    subparsers = parser.add_subparsers(dest="source", required=True, metavar="SOURCE", title="sources")
    parsers = []
    for name, source in installed_sources().items():
        own = subparsers.add_parser(name, help=source.help, description=source.help, allow_abbrev=False)
        before = {action.dest for action in own._actions}
        source.add_arguments(own)
        names = [action.dest for action in own._actions if action.dest not in before]
        own.set_defaults(source_class=source, source_options=names)
        parsers.append(own)
    return parsers
