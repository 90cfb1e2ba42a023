"""Walk-forward evaluation with baselines, confidence intervals, returns and leak checks."""
