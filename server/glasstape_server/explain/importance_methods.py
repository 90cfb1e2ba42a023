"""Methods whose maps can be averaged into importance, and the default one."""

from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.method import MethodName, Quantity

DEFAULT_METHOD = MethodName.SCALED_PATH_GRADIENT
_SIGNED = (Quantity.SENSITIVITY, Quantity.CONTRIBUTION, Quantity.EFFECT, Quantity.IMPORTANCE)
_COARSE = (MethodName.SHAPLEY_BARS, MethodName.SHAPLEY_FEATURES)

SUMMARIZED = tuple(
    name for name, method in METHODS.items() if method.quantity in _SIGNED and name not in _COARSE
)
"""Methods with a signed map, in units of the score, of single cells."""
