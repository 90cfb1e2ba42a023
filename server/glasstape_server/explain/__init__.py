"""Why a model says what it says: scores, one method per file, verdicts and drivers.

No hooks anywhere: gradients come from autograd on a fresh leaf, so methods are safe to run beside
each other and on any network.
"""
