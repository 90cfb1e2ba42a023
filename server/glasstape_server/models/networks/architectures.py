"""Every network that an artifact may name. Code comes from here, never from a file."""

from dataclasses import asdict
from typing import Any

from torch import nn

from glasstape_server.models.networks.axial import Axial, AxialConfig
from glasstape_server.models.networks.conv1d import Conv1d, Conv1dConfig
from glasstape_server.models.networks.conv2d import Conv2d, Conv2dConfig
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.models.networks.linear import Linear, LinearConfig
from glasstape_server.models.networks.transformer import Transformer, TransformerConfig
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

ENSEMBLE = "ensemble"
"""Its config is {"members": [{"name": architecture, "config": config}, ...]}."""
MAX_MEMBERS = 32
LARGEST = 4096
"""Of any number in a config: layers, channels, heads."""


def build(name: str, config: dict[str, Any]) -> nn.Module:
    """Build an untrained network.

    Raises:
        ValueError: no such architecture, or a config that it does not take.
    """
    if name == ENSEMBLE:
        return _ensemble(config)
    if name not in ARCHITECTURES:
        known = sorted([*ARCHITECTURES, ENSEMBLE])
        raise ValueError(f"architecture.name: must be one of {known}, is {name!r}")
    config_type, network_type = ARCHITECTURES[name]
    _check_sizes(config)
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in config.items()}
    try:
        return network_type(config_type(**values))
    except TypeError as error:
        raise ValueError(f"architecture.config: {error}") from None


def _check_sizes(config: dict[str, Any]) -> None:
    for key, value in config.items():
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int | float) and not abs(number) <= LARGEST:
                raise ValueError(f"architecture.config.{key}: at most {LARGEST}, is {value}"[:200])


def _ensemble(config: dict[str, Any]) -> nn.Module:
    members = config.get("members")
    if set(config) != {"members"} or not isinstance(members, list) or not 1 <= len(members) <= MAX_MEMBERS:
        raise ValueError(f"architecture.config: must be a list of 1-{MAX_MEMBERS} members")
    for member in members:
        if not isinstance(member, dict) or set(member) != {"name", "config"} or member["name"] == ENSEMBLE:
            raise ValueError("architecture.config.members: each must be the name and config of a network")
    return Ensemble([build(member["name"], member["config"]) for member in members])


def default_config(name: str, time_steps: int, features: int) -> dict[str, Any]:
    """The config of a new network of this input shape, as JSON values."""
    config_type, _ = ARCHITECTURES[name]
    values = asdict(config_type(time_steps=time_steps, features=features))
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
