import numpy as np
import pytest
import torch
from glasstape_server.models.manifest import Architecture
from glasstape_server.models.networks.architectures import build, default_config
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import checks
from networks import make_scorer

SHARES = np.full(3, 1 / 3)
ARCHITECTURE = Architecture(name="conv1d", config=default_config("conv1d", 6, 8))


@pytest.fixture(scope="module")
def windows():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(64, 6, 8)).astype(np.float32))


def predictions_with_skill(skill, n=2000):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, n)
    probabilities = random.dirichlet([9, 9, 9], n) * (1 - skill) + skill * np.eye(3)[labels]
    return probabilities, labels


def test_only_informative_predictions_have_skill():
    probabilities, labels = predictions_with_skill(0.1)
    assert checks.skill(probabilities, labels, np.arange(len(labels)), SHARES).passed
    noise = np.random.default_rng(1).dirichlet([9, 9, 9], len(labels))
    uninformative = checks.skill(noise, labels, np.arange(len(labels)), SHARES)
    assert not uninformative.passed
    assert "log loss" in uninformative.text


def test_windows_of_one_close_count_as_one_observation():
    probabilities, labels = predictions_with_skill(0.1, 300)
    few = checks.skill(
        np.tile(probabilities, (10, 1)), np.tile(labels, 10), np.tile(np.arange(300), 10), SHARES
    )
    once = checks.skill(probabilities, labels, np.arange(300), SHARES)
    assert few.value == pytest.approx(once.value, rel=1e-3)


def test_a_network_equal_to_an_untrained_one_fails_and_another_passes(windows):
    results = {}
    for seed in (3, 99):
        torch.manual_seed(seed)
        network = build("conv1d", ARCHITECTURE.config)
        scorer = Scorer(network, torch.zeros(8), torch.ones(8)).eval().requires_grad_(False)
        results[seed] = checks.parameter_randomization(scorer, ARCHITECTURE, windows)
    assert results[3].value == pytest.approx(1)
    assert not results[3].passed
    assert results[99].passed


def test_the_global_random_state_is_unchanged(windows):
    state = torch.random.get_rng_state()
    checks.parameter_randomization(make_scorer("conv1d"), ARCHITECTURE, windows[:4])
    assert torch.equal(state, torch.random.get_rng_state())


def test_completeness_is_the_share_of_complete_windows(windows):
    check = checks.completeness(make_scorer("linear"), windows)
    assert check.passed
    assert check.value == 1.0
