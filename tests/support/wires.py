"""A live server on each wire: what tests check through it must hold on both."""

import importlib.util
from collections.abc import Iterator

import pytest
from markets import Market, market_on


@pytest.fixture(scope="session", params=["native", "grpcio"])
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """One live server of each wire."""
    if request.param == "native" and importlib.util.find_spec("pygrpc_native") is None:
        pytest.skip('pygrpc-native, the extra "fast", is not installed')
    yield from market_on(request.param, tmp_path_factory.mktemp("data"))
