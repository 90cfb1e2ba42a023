"""The features that a spec may name: each a function with its look-back, parameters and description."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from glasstape_server.domain.arrays import Floats
from glasstape_server.features.inputs import FeatureInputs

MAX_BARS = 1000
"""Largest number of bars that a parameter may hold."""

ParameterValues = Mapping[str, int | float]
"""Value of each parameter, by name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a feature depends on. Whole if its default is."""

    default: int | float
    least: float
    most: float
    description: str

    def check(self, name: str, value: object) -> None:
        """Check a value.

        Args:
            name: what the error's text begins with.
            value: the value.

        Raises:
            ValueError: it is out of range, or not a number of the default's kind.
        """
        whole = isinstance(self.default, int)
        fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not fits or not self.least <= value <= self.most:  # type: ignore[operator]
            kind = "a whole number, " if whole else ""
            raise ValueError(f"{name}: must be {kind}{self.least:g}-{self.most:g}, is {str(value)[:20]}")


def bar_count(default: int, description: str) -> Parameter:
    """Return a parameter that counts bars, 1 to `MAX_BARS`."""
    return Parameter(default, 1, MAX_BARS, description)


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a window."""

    name: str
    description: str
    """Formula; `{parameter}` stands for a parameter's value."""
    compute: Callable[[FeatureInputs], Floats]
    """Values of all bars, float64 (..., bar), dimensionless; NaN where a bar has too little history. The
    value at bar t depends on bars up to t alone."""
    look_back: Callable[[ParameterValues], int]
    """Bars that one value needs, its own included."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Parameters beside those that every spec has (`spec.SHARED_PARAMETERS`)."""
    local_time: bool = False
    """Whether it depends on the time zone of the symbol."""
    ranked: bool = False
    """Whether the feature is the rank of the computed value among the symbols of the close; see `cross_section`."""


_features: dict[str, Feature] = {}


def register(*features: Feature) -> None:
    """Make features available to specs.

    Artifacts are not affected: a spec names its features, and its hash covers those alone.

    Raises:
        ValueError: a name is taken, or a parameter of another feature has the name and another meaning.
    """
    for feature in features:
        if feature.name in _features:
            raise ValueError(f"feature {feature.name!r} is registered already")
        for other in _features.values():
            for name in feature.parameters.keys() & other.parameters.keys():
                if feature.parameters[name] != other.parameters[name]:
                    raise ValueError(
                        f"feature {feature.name!r}: parameter {name!r} differs from that of {other.name!r}"
                    )
        _features[feature.name] = feature


def registered() -> tuple[str, ...]:
    """Return the names of all features, in order of registration."""
    return tuple(_features)


def find(names: Iterable[str]) -> tuple[Feature, ...]:
    """Return features by name.

    Raises:
        ValueError: a name is unknown; the text lists the known ones.
    """
    names = tuple(names)
    unknown = [name for name in names if name not in _features]
    if unknown:
        raise ValueError(
            f"feature_spec.features: unknown feature {', '.join(map(repr, unknown))[:200]}, "
            f"known are {', '.join(_features)}"
        )
    return tuple(_features[name] for name in names)
