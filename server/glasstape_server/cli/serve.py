"""`glasstape serve`: run the server until SIGINT, SIGTERM or SIGHUP."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from glasstape.cli import output

from glasstape_server.cli.arguments import nonempty_path

if TYPE_CHECKING:
    from glasstape_server.settings import Settings

HELP = "Run the server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting; flags that are absent leave file and environment in force."""
    from glasstape.barfile.arguments import FIELDS

    from glasstape_server.settings import Settings

    parser.add_argument("--config", type=nonempty_path, help="TOML file of settings")
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        # The options of bar files have the names that other commands give them, too.
        flags = [flag, flag.replace("replay-", "")] if name.removeprefix("replay_") in FIELDS else [flag]
        text = (field.description or "").replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(*flags, action="store_true", default=None, help=text)
        elif field.annotation == tuple[str, ...]:
            parser.add_argument(*flags, nargs="+", action="extend", default=None, help=text)
        else:
            default = "" if field.default in ("", None) else f" (default: {field.default})"
            parser.add_argument(
                *flags, default=None, metavar=name.rsplit("_", 1)[-1].upper(), help=text + default
            )


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from glasstape_server.operations.logs import configure_logging
    from glasstape_server.settings import Settings, environment_warnings, load
    from glasstape_server.storage.files import OWNER_ONLY

    flags = {name: getattr(options, name) for name in Settings.model_fields}
    try:
        settings = load({k: v for k, v in flags.items() if v is not None}, options.config)
    except (ValueError, OSError) as error:
        print(f"glasstape serve: {error}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level, settings.log_format)
    for warning in environment_warnings():
        logging.getLogger(__name__).warning("%s", warning)
    os.umask(OWNER_ONLY)  # bars, journal and its key are readable by their owner only
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings))


async def _serve(settings: "Settings") -> int:
    from glasstape.address import bracketed

    from glasstape_server.app import App
    from glasstape_server.startup import StartError
    from glasstape_server.transport.server_with_web import ServerWithWeb

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _stop_signals():
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # on Windows, where Ctrl-C raises KeyboardInterrupt
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
    try:
        app = App(settings)
    except StartError as error:
        print(f"glasstape serve: {error}", file=sys.stderr)
        return 1
    try:
        _announce(f"serving on {await app.start()}")
        if isinstance(app.server, ServerWithWeb):
            scheme = "http" if settings.tls_certificate is None else "https"
            _announce(f"web on {scheme}://{bracketed(settings.host)}:{app.server.web_port}")
        if app.metrics_port is not None:
            _announce(f"metrics on {bracketed(settings.metrics_host)}:{app.metrics_port}")
        events = [asyncio.ensure_future(event.wait()) for event in (stopping, app.lost)]
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        if app.lost.is_set():
            print(f"glasstape serve: data_dir: {app.lease_error}", file=sys.stderr)
            return 1
        logging.getLogger(__name__).info("draining")
        return 0
    except StartError as error:
        print(f"glasstape serve: {error}", file=sys.stderr)
        return 1
    finally:
        await app.stop()


def _stop_signals() -> list[signal.Signals]:
    """Return the signals that drain the server; a hangup that the caller ignores, as nohup does, stays ignored."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def _announce(line: str) -> None:
    """Print a line for the program that started the server, and serve on if it cannot be written."""
    try:
        print(line, flush=True)
    except OSError as error:
        output.discard(sys.stdout)
        logging.getLogger(__name__).warning("%s (standard output: %s)", line, error.strerror)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
