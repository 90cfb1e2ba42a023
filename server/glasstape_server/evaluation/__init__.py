"""What a model is worth, as a sceptic would ask: walking forward, against baselines, with intervals."""
