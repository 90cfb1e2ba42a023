"""Synthetic windows with known salient cells, and the Bayes-optimal classifiers of their distributions."""
