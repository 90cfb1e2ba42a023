"""Which features a window has, in which order and with which parameters: data that travels with a model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from glasstape_server.features.inputs import SessionGap
from glasstape_server.features.registry import Feature, Parameter, bar_count, find
from glasstape_server.features.sets import SET1, SETS

SHARED_PARAMETERS: Mapping[str, Parameter] = {
    "window_bars": bar_count(6, "bars in a window"),
    "volatility_bars": bar_count(20, "returns in the trailing volatility"),
    "volatility_floor": Parameter(1e-5, 1e-12, 1e6, "least volatility that is divided by, as log return"),
    "clip": Parameter(10.0, 1e-12, 1e6, "largest absolute value of a feature"),
}
"""Parameters of every spec, whatever its features."""


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """Names and parameters of a window's features. Two specs with equal hashes compute equal windows.

    Raises:
        ValueError: an unknown feature, or a parameter that none of the features has or that is out of range.
    """

    names: tuple[str, ...] = SETS[SET1]
    """Feature names in the window's order; see `registry`."""
    window_bars: int = 6
    """Bars in a window."""
    volatility_bars: int = 20
    """Returns in the trailing volatility."""
    volatility_floor: float = 1e-5
    """Least volatility that is divided by, as log return."""
    clip: float = 10.0
    """Largest absolute value of a feature."""
    session_gap: SessionGap = "span"
    """split: windows, labels and previous closes stay within one trading day; span: they do not."""
    parameters: Mapping[str, int | float] = field(default_factory=dict, hash=False)
    """Parameters of the features; what is left out has its default."""

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"feature_spec.features: must be one or more different names, is {self.names}")
        known = {
            name: parameter for feature in self._features for name, parameter in feature.parameters.items()
        }
        unknown = set(self.parameters) - set(known)
        if unknown:
            raise ValueError(f"feature_spec: unknown parameters {sorted(unknown)}")
        defaults = {name: parameter.default for name, parameter in known.items()}
        object.__setattr__(self, "parameters", {**defaults, **self.parameters})
        if self.session_gap not in ("split", "span"):
            raise ValueError(
                f"feature_spec.session_gap: must be split or span, is {str(self.session_gap)[:20]!r}"
            )
        for name, parameter in {**known, **SHARED_PARAMETERS}.items():
            parameter.check(f"feature_spec.{name}", self.values[name])

    @property
    def _features(self) -> tuple[Feature, ...]:
        return find(self.names)

    @property
    def values(self) -> dict[str, int | float]:
        """Value of every parameter, by name."""
        return {**{name: getattr(self, name) for name in SHARED_PARAMETERS}, **self.parameters}

    @property
    def window_shape(self) -> tuple[int, int]:
        """Shape of a window, (time, feature)."""
        return self.window_bars, len(self.names)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Formula of each feature with this spec's parameters."""
        return tuple(feature.description.format(**self.values) for feature in self._features)

    @cached_property
    def local_time_names(self) -> tuple[str, ...]:
        """Names of the features that depend on the time zone of the symbol."""
        return tuple(feature.name for feature in self._features if feature.local_time)

    @cached_property
    def ranked_columns(self) -> tuple[int, ...]:
        """Columns of the features that rank a symbol among those of its close."""
        return tuple(column for column, feature in enumerate(self._features) if feature.ranked)

    @cached_property
    def ranked_names(self) -> tuple[str, ...]:
        """Names of these features."""
        return tuple(self.names[column] for column in self.ranked_columns)

    @cached_property
    def ranked_look_back(self) -> int:
        """Bars that the values of these features need, the ranked bar included; 0 without such a feature."""
        return max(
            (feature.look_back(self.values) for feature in self._features if feature.ranked), default=0
        )

    @cached_property
    def look_back(self) -> int:
        """Bars that one feature row and the volatility of its label need, its own bar included."""
        return max(self.volatility_bars + 1, *(feature.look_back(self.values) for feature in self._features))

    @property
    def min_bars(self) -> int:
        """Bars that one window needs."""
        return self.look_back + self.window_bars - 1

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the spec, 64 hex digits. Covers its own features and parameters, and no others."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON values."""
        return {**self.values, "session_gap": self.session_gap, "features": list(self.names)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FeatureSpec":
        """Return the spec of JSON values, as `to_dict` gives them.

        Raises:
            ValueError: unknown features or parameters, or values out of range.
        """
        values = dict(values)
        names = values.pop("features", None)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"feature_spec.features: must be a list of names, is {str(names)[:80]}")
        own = {name: values.pop(name) for name in (*SHARED_PARAMETERS, "session_gap") if name in values}
        return cls(names=tuple(names), parameters=values, **own)
