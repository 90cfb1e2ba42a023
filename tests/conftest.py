"""Fixtures that several rooms share."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from brokers import NatsServer, single_broker
from glasstape_server.models import artifact
from glasstape_server.models.model import Model
from glasstape_server.settings import BUNDLED_MODELS
from markets import Market, market_on
from running import ServerProcess

# A machine without a screen paints all the same; PyQt6 reads this when the first test needs it.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# A busy machine is no failure: performance is measured by benchmarks.
hypothesis.settings.register_profile("without deadline", deadline=None)
hypothesis.settings.load_profile("without deadline")


@pytest.fixture(autouse=True)
def _root_logging() -> Iterator[None]:
    """Remove what a command that ran in this process set up for logging: its streams are closed after the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """One live server for every test that does not break it."""
    yield from market_on("auto", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One broker for every test that does not break it."""
    yield from single_broker(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="session")
def bundled() -> Model:
    """The model that ships with the server."""
    return artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")


@pytest.fixture
def spawn() -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers that a test may kill and restart; whatever is left running is ended."""
    made: list[ServerProcess] = []

    def start(data_dir: Path, *flags: str, loaded: bool = True) -> ServerProcess:
        made.append(ServerProcess(data_dir, *flags, loaded=loaded))
        return made[-1].start()

    yield start
    for server in made:
        if server.process is not None and server.process.poll() is None:
            server.kill()
