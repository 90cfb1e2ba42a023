"""Networks and trees that an artifact may name. Their code is never loaded from an artifact."""

from dataclasses import asdict
from typing import Any

from torch import nn

from glasstape_server.models.networks.axial import Axial, AxialConfig
from glasstape_server.models.networks.conv1d import Conv1d, Conv1dConfig
from glasstape_server.models.networks.conv2d import Conv2d, Conv2dConfig
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.models.networks.linear import Linear, LinearConfig
from glasstape_server.models.networks.transformer import Transformer, TransformerConfig
from glasstape_server.models.networks.trees import CLASSES, Trees, TreesConfig
from glasstape_server.models.networks.xcm import Xcm, XcmConfig

ARCHITECTURES: dict[str, tuple[type[Any], type[nn.Module]]] = {
    "conv1d": (Conv1dConfig, Conv1d),
    "conv2d": (Conv2dConfig, Conv2d),
    "transformer": (TransformerConfig, Transformer),
    "linear": (LinearConfig, Linear),
    "xcm": (XcmConfig, Xcm),
    "axial": (AxialConfig, Axial),
}
"""Name -> (config, network)."""

BOOSTED: dict[str, tuple[type[Any], type[nn.Module]]] = {
    "trees": (TreesConfig, Trees),
    "lightgbm": (TreesConfig, Trees),
}
"""Gradient-boosted trees, by scikit-learn and by LightGBM: name -> (config, trees)."""
BUILDABLE = {**ARCHITECTURES, **BOOSTED}
"""Everything that `build` makes, except ensembles."""

ENSEMBLE = "ensemble"
"""Its config is {"members": [{"name": architecture, "config": config}, ...]}."""
MAX_MEMBERS = 32
MAX_ENSEMBLE_ROUNDS = 2048
"""Largest number of rounds of boosting of all members of an ensemble: bounds the tables of TreeSHAP."""
MAX_CONFIG_VALUE = 4096
"""Largest number in a config: layers, channels, heads."""
RANK_OUTPUTS = 1
"""Outputs of a rank head."""


def build(name: str, config: dict[str, Any], outputs: int = CLASSES) -> nn.Module:
    """Return an untrained network.

    Args:
        name: of the architecture.
        config: its parameters, as JSON values.
        outputs: that it must have: `CLASSES`, or `RANK_OUTPUTS`.

    Raises:
        ValueError: the architecture is unknown, or the config is invalid.
    """
    if name == ENSEMBLE:
        return _ensemble(config, outputs)
    if name not in BUILDABLE:
        known = sorted([*BUILDABLE, ENSEMBLE])
        raise ValueError(f"architecture.name: must be one of {known}, is {name!r}")
    config_type, network_type = BUILDABLE[name]
    _check_sizes(config)
    if config.get("outputs", CLASSES) != outputs:
        stated = str(config.get("outputs", CLASSES))[:20]
        raise ValueError(f"architecture.config.outputs: must be {outputs}, is {stated}")
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in config.items()}
    try:
        return network_type(config_type(**values))
    except TypeError as error:
        raise ValueError(f"architecture.config: {error}") from None


def build_untrained(name: str, config: dict[str, Any]) -> nn.Module:
    """Return a network with random weights; trees with random splits and values, fewer than the config states.

    Args:
        name: of the architecture.
        config: its parameters, as JSON values.

    Raises:
        ValueError: the architecture is unknown, or the config is invalid.
    """
    if name == ENSEMBLE:
        return Ensemble([build_untrained(member["name"], member["config"]) for member in config["members"]])
    if name in BOOSTED:
        config = config | {"rounds": min(config["rounds"], 20), "depth": min(config["depth"], 3)}
    network = build(name, config)
    if isinstance(network, Trees):
        network.randomize()
    return network


def _check_sizes(config: dict[str, Any]) -> None:
    for key, value in config.items():
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int | float) and not abs(number) <= MAX_CONFIG_VALUE:
                rule = f"must be at most {MAX_CONFIG_VALUE}, is {value}"
                raise ValueError(f"architecture.config.{key}: {rule}"[:200])


def _ensemble(config: dict[str, Any], outputs: int) -> nn.Module:
    members = config.get("members")
    if set(config) != {"members"} or not isinstance(members, list) or not 1 <= len(members) <= MAX_MEMBERS:
        raise ValueError(f"architecture.config: must be {{'members': [1-{MAX_MEMBERS} networks]}}")
    for member in members:
        if not isinstance(member, dict) or set(member) != {"name", "config"} or member["name"] == ENSEMBLE:
            raise ValueError("architecture.config.members: each must have the name and config of a network")
    networks = [build(member["name"], member["config"], outputs) for member in members]
    rounds = sum(network.config.rounds for network in networks if isinstance(network, Trees))
    if rounds > MAX_ENSEMBLE_ROUNDS:
        raise ValueError(
            f"architecture.config.members: must have at most {MAX_ENSEMBLE_ROUNDS} rounds of boosting, have {rounds}"
        )
    return Ensemble(networks)


def default_config(name: str, time_steps: int, features: int, outputs: int = CLASSES) -> dict[str, Any]:
    """Return the default config of an architecture, as JSON values.

    Args:
        name: of the architecture.
        time_steps: bars in a window.
        features: features of a bar.
        outputs: `CLASSES`, or `RANK_OUTPUTS`.

    Raises:
        ValueError: the architecture takes no windows of this shape.
    """
    config_type, _ = BUILDABLE[name]
    return config_values(config_type(time_steps=time_steps, features=features, outputs=outputs))


def config_values(config: Any) -> dict[str, Any]:
    """Return a config as JSON values; `outputs` is stated by rank heads alone, as earlier versions expect."""
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(config).items()}
    if values["outputs"] == CLASSES:
        del values["outputs"]
    return values
