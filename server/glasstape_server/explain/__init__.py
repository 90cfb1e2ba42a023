"""Explanations: scores, methods (one per file), verdicts and drivers.

Gradients come from autograd on a fresh leaf, without hooks, so that methods may run concurrently and on any network.
"""
