import pytest
from evaluated import known_data, known_evaluation, known_market


@pytest.fixture
def frame():
    return known_market()


@pytest.fixture
def data():
    return known_data()


@pytest.fixture
def evaluation():
    return known_evaluation()
