"""Plugin of `make sdk-only`: deselects the tests that need a server."""

import pytest

FIXTURES = {"market", "spawn", "bundled"}
"""Fixtures of tests/conftest.py that run or load the server."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that ask for none of the fixtures."""
    needing = [item for item in items if FIXTURES & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]
