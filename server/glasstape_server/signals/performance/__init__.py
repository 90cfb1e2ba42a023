"""How published signals turned out: track record, calibration, shadow model."""
