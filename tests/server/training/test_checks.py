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


def stated_and_happened(skill, n=2000):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, n)
    stated = random.dirichlet([9, 9, 9], n) * (1 - skill) + skill * np.eye(3)[labels]
    return stated, labels


def test_a_model_that_knows_something_has_skill_and_one_that_does_not_has_none():
    stated, labels = stated_and_happened(0.1)
    assert checks.skill(stated, labels, np.arange(len(labels)), SHARES).passed
    noise = np.random.default_rng(1).dirichlet([9, 9, 9], len(labels))
    known_nothing = checks.skill(noise, labels, np.arange(len(labels)), SHARES)
    assert not known_nothing.passed
    assert "log loss" in known_nothing.text


def test_windows_of_one_close_count_once():
    stated, labels = stated_and_happened(0.1, 300)
    few = checks.skill(np.tile(stated, (10, 1)), np.tile(labels, 10), np.tile(np.arange(300), 10), SHARES)
    once = checks.skill(stated, labels, np.arange(300), SHARES)
    assert few.value == pytest.approx(once.value, rel=1e-3)


def test_a_network_that_is_one_of_the_untrained_ones_fails_and_another_one_passes(windows):
    drawn = {}
    for seed in (3, 99):
        torch.manual_seed(seed)
        network = build("conv1d", ARCHITECTURE.config)
        scorer = Scorer(network, torch.zeros(8), torch.ones(8)).eval().requires_grad_(False)
        drawn[seed] = checks.parameter_randomisation(scorer, ARCHITECTURE, windows)
    assert drawn[3].value == pytest.approx(1)
    assert not drawn[3].passed
    assert drawn[99].passed


def test_a_network_whose_maps_ignore_what_it_learnt_fails(windows, monkeypatch):
    same = torch.rand(len(windows), 48)
    monkeypatch.setattr(checks, "_strength", lambda scorer, rows: same)
    check = checks.parameter_randomisation(make_scorer("conv1d"), ARCHITECTURE, windows)
    assert not check.passed
    assert check.value == pytest.approx(1)


def test_the_global_random_state_is_left_alone(windows):
    state = torch.random.get_rng_state()
    checks.parameter_randomisation(make_scorer("conv1d"), ARCHITECTURE, windows[:4])
    assert torch.equal(state, torch.random.get_rng_state())


def test_completeness_is_the_share_of_complete_windows(windows):
    check = checks.completeness(make_scorer("linear"), windows)
    assert check.passed
    assert check.value == 1.0
