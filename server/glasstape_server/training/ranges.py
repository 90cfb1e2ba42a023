"""Ranges of hyperparameters."""

MAX_COUNT = 1_000_000
"""Largest number of epochs, windows of a batch, and the like."""
MAX_SEED = 2**31 - 1
"""Largest seed that every library takes."""


def check_range(options: object, name: str, low: float, high: float, *, above: bool = False) -> None:
    """Check that a field of some options lies within `low` .. `high`.

    Args:
        options: with the field.
        name: of the field.
        low: least value.
        high: largest value.
        above: whether the value must be above `low`.

    Raises:
        ValueError: it does not; the text names field, rule and value.
    """
    value = getattr(options, name)
    if not (low < value if above else low <= value) or not value <= high:
        rule = f"above {low:g}, at most {high:,}" if above else f"{low:g}-{high:,}"
        raise ValueError(f"{name}: must be {rule}, is {value}")
