"""The model's input: features, windows and labels of bars. Depends on NumPy only."""
