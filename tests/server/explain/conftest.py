import numpy as np
import pytest
import torch
from glasstape_server.models.networks.architectures import ARCHITECTURES
from networks import make_scorer


@pytest.fixture(params=sorted(ARCHITECTURES))
def scorer(request):
    """Each network with random weights: methods must be correct for any function."""
    return make_scorer(request.param)


@pytest.fixture(scope="session")
def windows():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(12, 6, 8)).astype(np.float32))
