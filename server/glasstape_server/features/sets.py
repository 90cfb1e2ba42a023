"""Named sets of features. Importing this module registers all features."""

from collections.abc import Mapping

from glasstape_server.features.ranks import RANKS
from glasstape_server.features.regime import REGIME
from glasstape_server.features.registry import Feature, register
from glasstape_server.features.session import SESSION
from glasstape_server.features.standard import STANDARD


def _names(features: tuple[Feature, ...]) -> tuple[str, ...]:
    return tuple(feature.name for feature in features)


register(*STANDARD, *REGIME, *SESSION, *RANKS)

SET1 = "set1"
"""The features of the bundled models."""
SETS: Mapping[str, tuple[str, ...]] = {
    SET1: _names(STANDARD),
    "set2": _names((*STANDARD, *REGIME, *SESSION, *RANKS)),
}
"""Feature names of each set, in the window's order."""
