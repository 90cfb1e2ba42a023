"""Networks that an artifact may name. Network code is never loaded from an artifact."""

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
MAX_CONFIG_VALUE = 4096
"""Largest number in a config: layers, channels, heads."""


def build(name: str, config: dict[str, Any]) -> nn.Module:
    """Return an untrained network.

    Args:
        name: of the architecture.
        config: its parameters, as JSON values.

    Raises:
        ValueError: the architecture is unknown, or the config is invalid.
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
            if isinstance(number, int | float) and not abs(number) <= MAX_CONFIG_VALUE:
                rule = f"must be at most {MAX_CONFIG_VALUE}, is {value}"
                raise ValueError(f"architecture.config.{key}: {rule}"[:200])


def _ensemble(config: dict[str, Any]) -> nn.Module:
    members = config.get("members")
    if set(config) != {"members"} or not isinstance(members, list) or not 1 <= len(members) <= MAX_MEMBERS:
        raise ValueError(f"architecture.config: must be {{'members': [1-{MAX_MEMBERS} networks]}}")
    for member in members:
        if not isinstance(member, dict) or set(member) != {"name", "config"} or member["name"] == ENSEMBLE:
            raise ValueError("architecture.config.members: each must have the name and config of a network")
    return Ensemble([build(member["name"], member["config"]) for member in members])


def default_config(name: str, time_steps: int, features: int) -> dict[str, Any]:
    """Return the default config of an architecture, as JSON values.

    Args:
        name: of the architecture.
        time_steps: bars in a window.
        features: features of a bar.

    Raises:
        ValueError: the architecture takes no windows of this shape.
    """
    config_type, _ = ARCHITECTURES[name]
    values = asdict(config_type(time_steps=time_steps, features=features))
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
