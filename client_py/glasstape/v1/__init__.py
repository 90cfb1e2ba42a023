"""Generated from proto/glasstape/v1: the contract, as Python sees it."""
