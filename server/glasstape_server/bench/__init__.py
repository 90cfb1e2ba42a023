"""Benchmarks of `glasstape bench`. Ratios within one run are meaningful; absolute values depend on the machine."""
