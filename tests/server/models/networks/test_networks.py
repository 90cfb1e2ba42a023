import numpy as np
import pytest
import torch
from glasstape_server.models import artifact
from glasstape_server.models.manifest import Architecture
from glasstape_server.models.networks.architectures import (
    ARCHITECTURES,
    BUILDABLE,
    ENSEMBLE,
    RANK_OUTPUTS,
    build,
    default_config,
)
from glasstape_server.models.networks.layers import TimeConvolution
from glasstape_server.models.networks.network import Attentive, Convolutional
from glasstape_server.models.scorer import Scorer
from torch.nn import functional

WINDOWS = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 6, 8)).astype(np.float32))


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize(("steps", "features"), [(6, 8), (12, 8), (50, 50)])
def test_every_network_takes_windows_of_any_size(name, steps, features):
    network = build(name, default_config(name, steps, features)).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, steps, features)).shape == (2, 3)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_what_a_network_shows_is_what_it_computes(name):
    network = build(name, default_config(name, 6, 8)).eval()
    with torch.no_grad():
        logits = network(WINDOWS)
        if isinstance(network, Convolutional):
            np.testing.assert_allclose(network.classify(network.convolve(WINDOWS)), logits, atol=1e-6)
        if isinstance(network, Attentive):
            np.testing.assert_allclose(network.attend(WINDOWS)[0], logits, atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("steps", [3, 6, 20])
def test_a_time_convolution_is_torchs_trained_and_frozen(kernel, steps):
    own = TimeConvolution(4, 7, kernel)
    x = torch.randn(3, steps, 4, generator=torch.Generator().manual_seed(0))
    weight = own.weight.weight.view(7, kernel, 4).transpose(1, 2)
    expected = functional.conv1d(x.transpose(1, 2), weight, own.weight.bias, padding=kernel // 2).transpose(
        1, 2
    )
    np.testing.assert_allclose(own(x).detach(), expected.detach(), atol=1e-5)
    own.requires_grad_(False)
    np.testing.assert_allclose(own(x), expected.detach(), atol=1e-5)
    own.weight.weight.mul_(2)  # a changed weight is seen
    changed = functional.conv1d(x.transpose(1, 2), weight, own.weight.bias, padding=kernel // 2).transpose(
        1, 2
    )
    np.testing.assert_allclose(own(x), changed.detach(), atol=1e-5)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_survives_the_way_to_disk_and_back(name, bundled, tmp_path):
    config = default_config(name, 6, 8)
    network = build(name, config).eval()
    scorer = Scorer(network, bundled.statistics.mean, bundled.statistics.deviation).eval()
    with torch.no_grad():
        logits = scorer(bundled.statistics.golden_windows)
    from dataclasses import replace

    manifest = bundled.manifest.model_copy(
        update={"name": name, "architecture": Architecture(name=name, config=config)}
    )
    statistics = replace(bundled.statistics, golden_logits=logits)
    loaded = artifact.load(artifact.save(tmp_path, manifest, network, statistics))
    with torch.no_grad():
        np.testing.assert_allclose(loaded.scorer(WINDOWS), scorer(WINDOWS), atol=1e-6)


@pytest.mark.parametrize("name", sorted(BUILDABLE))
def test_a_rank_head_has_one_output_and_class_configs_do_not_state_theirs(name):
    config = default_config(name, 6, 8, RANK_OUTPUTS)
    assert config["outputs"] == 1
    assert build(name, config, RANK_OUTPUTS)(torch.zeros(2, 6, 8)).shape == (2, 1)
    ensemble = build(ENSEMBLE, {"members": [{"name": name, "config": config}] * 2}, RANK_OUTPUTS)
    assert ensemble(torch.zeros(2, 6, 8)).shape == (2, 1)
    with pytest.raises(ValueError, match=r"config\.outputs: must be 3, is 1"):
        build(name, config)
    assert "outputs" not in default_config(name, 6, 8)
